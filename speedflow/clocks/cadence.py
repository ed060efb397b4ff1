"""The cadence of frames: repeats, blends and uneven steps in a steady pattern.

Whoever shows m frames in the time of n, by an editor, FFmpeg's `fps`, `setpts`,
`framerate` or `minterpolate`, or 3:2 pulldown, repeats, mixes or drops frames
at places that are as even as whole numbers can be: at n, where the whole part
of n m / n + phase moves on (a Beatty, or Bresenham, sequence). Dropped frames
of a camera do not come in such a pattern. What is determined is how many true
frames there are a second; that was the camera's rate times the speed, or the
rate was converted and the speed is as it was.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, NamedTuple

import cv2
import numpy as np

from speedflow.clocks import reading

FALSE_ALARMS = 0.01
"""Of clips as they were filmed, see experiments/clocks."""

WRONG = 0.25
"""Where it speaks: that none of its modes is true."""

SHORTEST, LONGEST = 24, 600
"""Frames of a shot that tell, and that are looked at."""

_CELLS = 48, 32
# A pattern repeats within so many frames, and comes so many times.
_LONGEST_PERIOD, _TIMES = 10, 4
# Grey levels: less is no motion.
_MOTION = 2.5
# A repeat changes less than this share of what its neighbours do.
_REPEAT = 0.2
# A blend lies so much nearer to the middle of its neighbours.
_BLEND = 0.45
# A true frame changes more than this share of what those around it do.
_SHOWN, _LIKE = 0.3, 9
# Quantiles that must still obey: of the frames that are not true, and of those
# that are, for a camera has lost some.
_OBEY, _EXCEPT = 0.9, 0.07
# Frames per second that a camera may have had, by how often.
_CAMERAS = {30.0: 1.0, 25.0: 0.6, 24.0: 0.4, 60.0: 0.3, 50.0: 0.2}
# Share of belief that the rate was converted, at a rate of cameras and else.
_CONVERTED, _ODD = 0.75, 0.4
_SPREAD = 0.02

Kind = Literal["repeats", "blends"]


class Pattern(NamedTuple):
  """A steady pattern of frames.

  Attributes:
    kind: what is done to the frames that are not true.
    share: of the frames that are true.
    obey: how far the kinds of frames are apart, 0..1; 0: as far as can be.
  """

  kind: Kind
  share: Fraction
  obey: float


def cells(image: np.ndarray) -> np.ndarray:
  """What of a frame is kept: float32 [32, 48], of uint8 [h, w]."""
  small = cv2.resize(image, _CELLS, interpolation=cv2.INTER_AREA)
  return small.astype(np.float32)


def read(frames: Sequence[np.ndarray], fps: float) -> reading.Reading | None:
  """What the cadence says of the speed.

  Args:
    frames: consecutive ones of one shot, float32 [32, 48] each.
    fps: frames per second of playback.

  Returns:
    The reading; None where there is no pattern. One of its modes is always
    that the rate was converted and the speed is 1.
  """
  pattern = find(frames)
  if pattern is None:
    return None
  true = float(pattern.share) * fps
  usual = any(abs(math.log(true / rate)) < 0.01 for rate in _CAMERAS)
  converted = _CONVERTED if usual else _ODD
  found = [
    (1.0, _SPREAD, converted, f"converted from {true:.4g} frames a second")
  ]
  retimed = [
    (rate, weight)
    for rate, weight in _CAMERAS.items()
    if abs(math.log(true / rate)) > 0.01
  ]
  total = sum(weight for _, weight in retimed)
  found += [
    (
      true / rate,
      _SPREAD,
      (1 - converted) * weight / total,
      f"{rate:.0f} frames a second at {true / rate:.3g}x",
    )
    for rate, weight in retimed
  ]
  beat = pattern.share
  return reading.Reading(
    "cadence",
    "picture",
    reading.modes_of(found),
    WRONG,
    f"{beat.denominator - beat.numerator} of {beat.denominator} frames are "
    f"{pattern.kind}, in a steady beat",
  )


def find(frames: Sequence[np.ndarray]) -> Pattern | None:
  """The pattern, where there is one; that of repeats first.

  Args:
    frames: as for `read`.
  """
  if len(frames) < SHORTEST:
    return None
  seen = np.stack(frames[:LONGEST])
  changes = _busiest(np.abs(np.diff(seen, axis=0)))
  # A frame is a repeat of the one before it.
  pattern = _fit("repeats", changes, _REPEAT)
  if pattern is None:
    middle = (seen[:-2] + seen[2:]) / 2
    bending = _busiest(np.abs(seen[1:-1] - middle))
    pattern = _fit("blends", bending, _BLEND)
  return pattern


def _busiest(differences: np.ndarray) -> np.ndarray:
  """Mean of the largest hundredth of each picture, float32 [n]."""
  flat = differences.reshape(len(differences), -1)
  return np.sort(flat, axis=1)[:, -(flat.shape[1] // 100) :].mean(1)


def _fit(kind: Kind, signal: np.ndarray, most: float) -> Pattern | None:
  """The steadiest pattern in which the signal is low where it must be.

  Args:
    kind: of the frames at which the signal is low.
    signal: positive, float [n].
    most: ratio of low to high that is still told apart.
  """
  best: Pattern | None = None
  places = np.arange(len(signal) + 1)
  number = places[:-1]
  for share in _shares():
    period = share.denominator
    if len(signal) < _TIMES * period:
      continue
    moving = _largest_around(signal, period) > _MOTION
    for phase in range(period):
      true = np.diff((places * share.numerator + phase) // period) > 0
      # Against the true frames beside them: motion comes and goes.
      high = np.interp(number, number[true], signal[true])
      if (moving & ~true).sum() < _TIMES or (moving & true).sum() < _TIMES:
        continue
      ratio = signal / np.maximum(high, 1e-6)
      low = float(np.quantile(ratio[moving & ~true], _OBEY))
      if low > most:
        continue
      from scipy import ndimage

      # Of the frames that must be true, hardly one is low beside its like.
      like = ndimage.percentile_filter(signal[true], 70, size=_LIKE)
      shown = (signal[true] / np.maximum(like, 1e-6))[moving[true]]
      if np.quantile(shown, _EXCEPT) < max(_SHOWN, 1.5 * low):
        continue
      if best is None or low < best.obey - 1e-9:
        best = Pattern(kind, share, low)
  return best


def _largest_around(signal: np.ndarray, reach: int) -> np.ndarray:
  """The largest within so many places on either side."""
  padded = np.pad(signal, reach, mode="symmetric")
  windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
  return windows.max(1)


def _shares() -> list[Fraction]:
  """Shares of true frames whose pattern repeats soon enough."""
  return sorted(
    {
      Fraction(m, n) for n in range(2, _LONGEST_PERIOD + 1) for m in range(1, n)
    },
    key=lambda share: (share.denominator, share),
  )
