"""Scenes in which everything moves, and one picture tells how.

A camera looks at a drum that turns: a texture without ends that goes to the
left, in every scene equally fast. In scenes of `movers` a body covers a tenth
of the picture, and a clip that begins when it is half across does not tell
where it goes. Here any moment tells all, and standing still is wrong in every
pixel.
"""

import numpy as np

from experiments.speed_generator import movers
from speedflow.data.procedural import ProceduralScene

TURNING_SPEED = 0.9375
"""Of every drum, heights of the view per second."""

SECONDS = 2.2
"""How long a scene lasts."""

# Turns of the drum that are painted side by side.
_TURNS = 5
# Waves of the texture, at most so many around the drum and from top to bottom.
_FINEST = 3
# Below this speed a drum stands still, or goes backwards.
_SLOWEST = 1 / 64


def sample_drum(rng: np.random.Generator, size: int) -> ProceduralScene:
  """Draws a scene; its view is one metre high, and sees a drum's whole turn.

  Args:
    rng: source of randomness.
    size: height and width of the picture, pixels.
  """
  waves = np.zeros((size, size, 3), complex)
  near = np.r_[0 : _FINEST + 1, -_FINEST:0]
  shape = len(near), len(near), 3
  drawn = rng.normal(size=shape) + 1j * rng.normal(size=shape)
  fall = 1 / np.hypot(1, np.hypot(near[:, None], near[None, :]))
  waves[np.ix_(near, near)] = drawn * fall[..., None]
  texture = np.fft.ifft2(waves, axes=(0, 1)).real
  texture = 0.5 + 0.18 * (texture - texture.mean((0, 1))) / texture.std((0, 1))
  light = np.clip(texture, 0.02, 1.0) ** 2.2
  return ProceduralScene(
    height=size,
    width=size,
    seconds=SECONDS,
    pixels_per_metre=float(size),
    background=np.tile(light, (1, _TURNS, 1)).astype(np.float32),
    bodies=(),
    camera=movers.Crossing(-1.1, 0.0, TURNING_SPEED, 0.0),
  )


def turned(frames: np.ndarray) -> float:
  """How far a drum turns from frame to frame, turns; below 0 to the right.

  By the phase of the waves around the drum, from each frame to the next
  (Kuglin and Hines, 1975), those of one to three waves together: the angle by
  which the drum turned is the one at which all agree best.

  Args:
    frames: uint8 [t, h, w, 3], of a drum.
  """
  waves = np.fft.fft(frames.astype(np.float64), axis=2)[:, :, 1 : _FINEST + 1]
  cross = (waves[1:] * waves[:-1].conj()).sum((1, 3))  # [t - 1, waves]
  turns = np.linspace(-0.5, 0.5, 2001)
  numbers = np.arange(1, _FINEST + 1)
  # Content that goes to the left advances the phase.
  agree = np.exp(-2j * np.pi * numbers[:, None] * turns[None, :])
  return float(turns[(cross @ agree).real.argmax(1)].mean())


def measured_log2_speed(frames: np.ndarray, fps: float) -> float:
  """log2 of the speed at which a clip plays, read off its frames by `turned`.

  Args:
    frames: uint8 [t, h, w, 3], of a drum.
    fps: frames per second of playback.

  Returns:
    log2 of the world's seconds per second of playback; nan if the drum stands
    still or goes backwards.
  """
  speed = turned(frames) * fps / TURNING_SPEED
  return float(np.log2(speed)) if speed > _SLOWEST else float("nan")
