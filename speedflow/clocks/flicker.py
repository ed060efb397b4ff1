"""Lamp flicker in the picture: 100 or 120 Hz, aliased by the frame rate.

Lamps on the mains flicker at twice its frequency. Filmed, this is a line in
the brightness of all of the picture, at the frequency's remainder by the frame
rate; by rolling shutter its phase moves on from row to row (Garg, Varna,
Hajj-Ahmad and Wu, "'Seeing' ENF: power-signature-based timestamp for digital
multimedia via optical sensing and signal processing", 2013; Su et al.,
"Exploiting rolling shutter for ENF signal extraction from video", 2014). Frames
per second of the world follow up to aliases, all of which are given.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from speedflow.clocks import reading, usual

LAMPS = (100.0, 120.0)
"""Hz."""

FALSE_ALARMS = 0.01
"""Of clips as they were filmed: 2 of 374, see experiments/clocks."""

WRONG = 0.15
"""Where it speaks: that none of its modes is true; of those it is 2 of 11."""

COLUMNS = 8
"""Parts of the width that must flicker together."""

SHORTEST, LONGEST = 48, 600
"""Frames of a shot that tell, and that are looked at."""

# Waves from the top of the picture to its bottom, by rolling shutter.
_WAVES = np.arange(-4.0, 4.01, 0.5)
# Frames over which brightness is taken for the scene's.
_SCENE = 15
# Cycles a frame: slower is what people and things do.
_SLOWEST = 0.1
# Grey levels: darker places hardly show a lamp.
_DARK = 24.0
# Times its neighbourhood in the spectrum, over all columns and in each.
_ALARM, _EACH = 9.0, 3.0
# Columns that take part, and radians that they may differ by.
_TOGETHER, _APART = 7, 0.6
# Relative brightness: codecs beat by less, at the simplest fractions by more.
_LEAST, _LEAST_BEAT = 0.00125, 0.002
# Frames after which codecs repeat themselves.
_CODEC_PERIODS = (2, 3, 4, 5, 6, 8, 10, 12, 15, 16, 20, 24, 25, 30)
_MOST_WRAPS = 12
# Relative: how well mains keep their rate, and cameras the one they name.
_EXACT, _NAMED = 0.001, 0.003
# Weight of a capture rate that no camera names.
_ANY_RATE = 0.01


class Line(NamedTuple):
  """A line in the brightness of the whole picture.

  Attributes:
    frequency: cycles a frame, 0..0.5.
    spread: its standard deviation.
    waves: from the top of the picture to the bottom.
    amplitude: relative to the brightness.
    strength: times the neighbourhood in the spectrum.
  """

  frequency: float
  spread: float
  waves: float
  amplitude: float
  strength: float


def profile(image: np.ndarray) -> np.ndarray:
  """What of a frame is kept: float32 [h, COLUMNS], mean grey levels.

  Args:
    image: uint8 [h, w].
  """
  height, width = image.shape
  width -= width % COLUMNS
  parts = image[:, :width].reshape(height, COLUMNS, -1)
  return parts.mean(2, dtype=np.float32)


def read(profiles: Sequence[np.ndarray], fps: float) -> reading.Reading | None:
  """What flicker says of the speed.

  Args:
    profiles: of consecutive frames of one shot, float32 [h, COLUMNS] each.
    fps: frames per second of playback.

  Returns:
    The reading; None where nothing flickers that is surely a lamp.
  """
  line = find(profiles)
  if line is None:
    return None
  found = []
  for lamp in LAMPS:
    for wraps in range(_MOST_WRAPS + 1):
      for alias in (wraps + line.frequency, wraps - line.frequency):
        if alias <= 0:
          continue
        spread = math.hypot(line.spread / alias, _EXACT)
        rate = lamp / alias
        tolerance = math.hypot(spread, _NAMED)
        weight = usual.prior(rate, usual.RATES, tolerance, _ANY_RATE)
        words = f"{lamp / 2:.0f} Hz mains filmed at {rate:.4g}/s"
        found.append((fps / rate, spread / math.log(2), weight * spread, words))
  where = " in bands over the rows" if line.waves else ""
  return reading.Reading(
    "flicker",
    "picture",
    reading.modes_of(found),
    WRONG,
    f"lamps flicker at {line.frequency:.4f} cycles a frame, by "
    f"{2 * line.amplitude:.1%}{where}",
  )


def find(profiles: Sequence[np.ndarray]) -> Line | None:
  """The line that the whole picture shows, or None.

  Args:
    profiles: as for `read`.
  """
  if len(profiles) < SHORTEST:
    return None
  # It takes a fifth of a second to import, and most files have no clock.
  from scipy import ndimage

  levels = np.stack(profiles[:LONGEST])
  lit = levels.mean(0) > _DARK
  if lit.mean() < 0.25:
    return None
  logs = np.log(np.maximum(levels, 4.0))
  logs -= ndimage.uniform_filter1d(logs, _SCENE, axis=0, mode="nearest")
  count = len(logs)
  window = np.hanning(count + 2)[1:-1]
  size = 1 << (4 * count - 1).bit_length()
  seen = np.fft.rfft(
    logs * (window / window.sum())[:, None, None], size, axis=0
  )
  height = logs.shape[1]
  waves = np.exp(-2j * np.pi * np.outer(_WAVES, np.arange(height) / height))
  share = np.maximum(lit.sum(0), 1)
  # By frequency, waves and column; twice, for both signs of the frequency.
  columns = 2 * np.einsum("frc,wr,rc->fwc", seen, waves, lit) / share
  frequency = np.fft.rfftfreq(size)
  size_of = np.abs(columns)
  around = max(3, int(0.12 * size) | 1)
  usually = _running_median(size_of, around) + 2e-5
  weights = 1 / usually
  whole = np.abs((columns * weights).sum(2)) / weights.sum(2)
  floor = _running_median(whole, around) + 2e-5
  strength = whole / floor
  strength[(frequency < _SLOWEST) | (frequency > 0.5 - 1 / count)] = 0
  peak, wave = np.unravel_index(int(strength.argmax()), strength.shape)
  if not 0 < peak < len(frequency) - 1 or strength[peak, wave] < _ALARM:
    return None
  middle = (columns[peak, wave] * weights[peak, wave]).sum()
  apart = np.abs(np.angle(columns[peak, wave] * np.conj(middle)))
  loud = size_of[peak, wave] > _EACH * usually[peak, wave]
  if (loud & (apart < _APART)).sum() < _TOGETHER:
    return None
  left, top, right = np.log(whole[peak - 1 : peak + 2, wave])
  offset = 0.5 * (left - right) / (left - 2 * top + right)
  found = float(peak + offset) / size
  amplitude = float(whole[peak, wave])
  beats = any(
    abs(found * period - round(found * period)) < period / count
    for period in _CODEC_PERIODS
  )
  if amplitude < (_LEAST_BEAT if beats else _LEAST):
    return None
  return Line(
    found,
    0.1 / count,
    float(_WAVES[wave]),
    amplitude,
    float(strength[peak, wave]),
  )


def _running_median(values: np.ndarray, size: int) -> np.ndarray:
  """Along the first axis; SciPy is fifty times faster with a row at a time."""
  from scipy import ndimage

  rows = np.ascontiguousarray(values.reshape(len(values), -1).T)
  found = np.stack([ndimage.median_filter(row, size) for row in rows])
  return found.T.reshape(values.shape)
