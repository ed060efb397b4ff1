"""What cameras and codecs do to motion maps, without going back to pixels.

Noise and the jolts of keyframes raise the floor of all differences between
frames; strong compression lets small changes vanish. Neither has to do with
speed, but a network that has seen few of them reads the first as haste and
the second as slowness.
"""

import numpy as np

from speedflow.data.motion import CHANNELS

_FLOW = slice(0, 2)
_SIZES = slice(2, 4)
_DIFFERENCES = slice(4, 7)
_CHANGE = CHANNELS.index("change_mean")

# What noise of one grey level adds to each of the differences, and to the
# sizes of the flow, in pixels; measured on clips with and without it.
_DIFFERENCES_OF_NOISE = np.array([1.0, 1.35, 1.0], np.float32)
_SIZES_OF_NOISE = np.array([0.03, 0.04], np.float32)


def add_noise(maps: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  """Adds sensor noise, steady, and the jolts of keyframes, now and then.

  Args:
    maps: float32 [t, h, w, 8].
    rng: of level, place and period.

  Returns:
    The same shape.
  """
  t, h, w, _ = maps.shape
  level = np.full(t, 2.0 ** rng.uniform(-4, 1), np.float32)
  if rng.random() < 0.5:
    period = int(rng.integers(2, 31))
    level[int(rng.integers(period)) :: period] += 2.0 ** rng.uniform(-2, 1.5)
  place = np.exp2(rng.normal(0, 0.5, (h, w))).astype(np.float32)
  noise = (level[:, None, None] * place)[..., None]
  noisy = maps.copy()
  noisy[..., _FLOW] += (
    rng.standard_normal((t, h, w, 2), np.float32) * noise * _SIZES_OF_NOISE[0]
  ) * 0.5
  for channels, share in (
    (_SIZES, _SIZES_OF_NOISE),
    (_DIFFERENCES, _DIFFERENCES_OF_NOISE),
  ):
    noisy[..., channels] = np.hypot(noisy[..., channels], noise * share)
  return noisy


def drop_small_changes(
  maps: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
  """Lets small changes vanish, as a codec does that skips blocks.

  Args:
    maps: float32 [t, h, w, 8].
    rng: of the size below which changes shrink.

  Returns:
    The same shape.
  """
  threshold = 2.0 ** rng.uniform(-3, 0.5)
  kept = np.clip(maps[..., _CHANGE] / threshold, 0.1, 1.0)[..., None]
  shrunk = maps.copy()
  shrunk[..., :7] *= kept
  return shrunk
