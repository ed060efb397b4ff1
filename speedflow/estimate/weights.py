"""Trained weights of what estimates speed, from pictures and from sound."""

from typing import TYPE_CHECKING

from speedflow.weights.kind import Kind

if TYPE_CHECKING:
  from speedflow.models import motion_net, sound_net

SPEED: "Kind[motion_net.MotionNet]" = Kind(
  "speed",
  "a speed estimator",
  "speedflow.models.motion_net",
  "MotionNetConfig",
  "MotionNet",
  not_kept=("dtype", "remat", "dropout"),
  check=lambda extra: int(extra["window"]),
)
"""Its extra "window" is the number of motion maps of a window in training."""

SOUND: "Kind[sound_net.SoundNet]" = Kind(
  "sound",
  "a sound speed network",
  "speedflow.models.sound_net",
  "SoundNetConfig",
  "SoundNet",
  not_kept=("dtype", "dropout"),
)
