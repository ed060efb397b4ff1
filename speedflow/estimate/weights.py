"""Trained weights of what estimates speed, from pictures and from sound."""

from speedflow.models import motion_net, sound_net
from speedflow.weights.kind import Kind

SPEED = Kind(
  "speed",
  "a speed estimator",
  motion_net.MotionNetConfig,
  motion_net.MotionNet,
  not_kept=("dtype", "remat", "dropout"),
  check=lambda extra: int(extra["window"]),
)
"""Its extra "window" is the number of motion maps of a window in training."""

SOUND = Kind(
  "sound",
  "a sound speed network",
  sound_net.SoundNetConfig,
  sound_net.SoundNet,
  not_kept=("dtype", "dropout"),
)
