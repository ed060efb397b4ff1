"""Mains hum in the sound: 50 or 60 Hz and multiples, moved by the speed.

Electric network frequency is held within 0.1 % in large grids, and is heard as
narrow lines at whole multiples of it: from the mains itself, and at twice its
frequency from transformers, lamps and motors (Grigoras, "Digital audio
recording analysis: the electric network frequency criterion", 2005; multiples
combined as by Hajj-Ahmad, Garg and Wu, "Spectrum combining for ENF signal
estimation", 2013). Sound that is resampled moves the lines by exactly the
speed. Where a phase jumps, something was cut out or put in (Rodriguez,
Apolinario and Biscainho, "Audio authenticity: detecting ENF discontinuity with
high precision phase analysis", 2010).

Sound that was stretched at its old pitch keeps its lines: this is evidence
about the sound alone.
"""

import itertools
import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from speedflow import media
from speedflow.clocks import reading, usual

MAINS = (50.0, 60.0)
"""Hz."""

FALSE_ALARMS = 0.015
"""Of clips as they were filmed: none of 226, see experiments/clocks."""

WRONG = 0.05
"""Where it speaks: that none of its modes is true."""

SHORTEST_S = 1.9
"""Less sound tells no line from a voice."""

BLOCKS = 6
"""Of 10 s: more is not needed, and the grid would drift too far."""

# Samples per second that are looked at, about.
_RATE = 4000
_TOP_HZ = 1900.0
# Below, microphones and codecs keep little.
_LOWEST_HZ = 24.0
# Seconds that make one spectrum.
_SPECTRUM_S = 6.0
# Hz around a line that tell how loud its neighbourhood is.
_AROUND_HZ = 24.0
# Decibels above it from which on there is a line.
_LINE_DB = 10.0
# A line is followed in windows of so many seconds, so far apart.
_FOLLOW_S, _HOP_S = 0.6, 0.2
# What a line of the mains keeps to: decibels and radians from window to window.
_STEADY_DB, _STEADY_RADIANS = 3.0, 0.45
_MOST_LINES = 30
_HARMONICS = 12
# Probability that a multiple is heard, where there is hum at all.
_HEARD = (0.5, 0.7, 0.5, 0.6, 0.4, 0.5, 0.3, 0.4, 0.3, 0.4, 0.2, 0.3)
# Probability that it is the loudest of them.
_LOUDEST = (
  *(0.3, 0.4, 0.06, 0.1, 0.02, 0.06),
  *(0.005, 0.015, 0.005, 0.01, 0.005, 0.02),
)
# Faint hum lacks many at once: each counts for less.
_UNHEARD = 0.4
# Below this, one that is not heard says nothing.
_AUDIBLE_HZ = 90.0
# Relative: how well grids and sampling clocks keep their rate.
_EXACT = 0.0015
# Music, voices and motors hum in multiples, too: that lines fit together is
# worth so much at most, nats; the rest is where they lie.
_COMB = 4.0
# Relative weight of a factor that is not usual: among clips, more hum with
# motors than were retimed so.
_ANYTHING = 1e-4
_ALL_FACTORS = sum(usual.FACTORS.values())
# What is no mains may hum anywhere on five octaves.
_ANYWHERE_NATS = 5 * math.log(2)
# Log odds from which on it speaks.
_ALARM = 2.0
# Radians, and decibels of the lines, for a splice.
_JUMP_RADIANS, _JUMP_DB = 0.7, 16.0
# Windows over which a splice reaches, and one more.
_SPLICE = 4


class Line(NamedTuple):
  """A narrow line that is there all the time.

  Attributes:
    hz: its frequency.
    level: decibels above its neighbourhood, in a spectrum of 6 s.
    steps: float64 [n], how its phase goes on from window to window beyond
      what its frequency explains, radians.
  """

  hz: float
  level: float
  steps: np.ndarray


def read(blocks: Iterable[media.Audio]) -> reading.Reading | None:
  """What the hum says of the speed of the sound.

  Args:
    blocks: consecutive blocks of one rate, as `media.audio_blocks` gives them.

  Returns:
    The reading; None where no hum is heard that is surely one.
  """
  sound, rate, start_s = _beginning(blocks)
  found = lines(sound, rate)
  if not found:
    return None
  tolerance_hz = max(0.12, 0.35 / (len(sound) / rate))
  fits = _fits(found, tolerance_hz)
  if not fits:
    return None
  log_odds = np.array([fit[3] for fit in fits])
  total = float(np.logaddexp.reduce(log_odds))
  if total < _ALARM:
    return None
  best = fits[int(log_odds.argmax())]
  heard = ", ".join(f"{found[i].hz:.1f}" for i in sorted(best[2])[:5])
  return reading.Reading(
    "hum",
    "sound",
    _modes(fits),
    WRONG,
    f"the sound hums at {heard} Hz",
    tuple(start_s + time for time in _jumps([found[i] for i in best[2]])),
  )


def _modes(
  fits: list[tuple[float, float, list[int], float]],
) -> tuple[reading.Mode, ...]:
  """Usual speeds that the fits mean, without how usual each is."""
  top = max(fit[3] for fit in fits)
  found = []
  for f0, mains, _, odds in fits:
    speed = f0 / mains
    expected = usual.prior(speed, usual.FACTORS, _EXACT, 0.0)
    if expected > 0:
      alike = usual.prior(speed, dict.fromkeys(usual.FACTORS, 1.0), _EXACT, 0.0)
      weight = math.exp(odds - top) * alike / (expected + _ANYTHING)
      words = f"{mains:.0f} Hz mains as at {speed:.3g}x"
      found.append((speed, _EXACT, weight, words))
  return reading.modes_of([mode for mode in found if mode[2] > 1e-6])


def lines(sound: np.ndarray, rate: float) -> list[Line]:
  """Steady narrow lines, the strongest first.

  Args:
    sound: float [n], of one channel.
    rate: samples per second, 4 kHz or more.

  Returns:
    At most 30 lines; none where there is less than `SHORTEST_S`.
  """
  if len(sound) < SHORTEST_S * rate or not np.any(sound):
    return []
  # It takes most of a second to import: files without sound need not wait.
  from scipy import ndimage, signal

  hz, power = spectrum(sound, rate)
  decibels = 10 * np.log10(power)
  width = max(3, int(_AROUND_HZ / hz[1] / 4) | 1)
  around = ndimage.median_filter(decibels[::4], size=width, mode="nearest")
  level = decibels - np.interp(hz, hz[::4], around)
  peaks, _ = signal.find_peaks(
    level, height=_LINE_DB, distance=max(1, int(1.0 / hz[1]))
  )
  peaks = peaks[(hz[peaks] > _LOWEST_HZ) & (hz[peaks] < _TOP_HZ)]
  peaks = peaks[np.argsort(-level[peaks])][: 4 * _MOST_LINES]
  found: list[Line] = []
  for peak in peaks:
    left, middle, right = decibels[peak - 1 : peak + 2]
    offset = 0.5 * (left - right) / (left - 2 * middle + right)
    line = _followed(sound, rate, (peak + offset) * hz[1], float(level[peak]))
    if line and all(abs(line.hz - other.hz) > 1.0 for other in found):
      found.append(line)
  return found[:_MOST_LINES]


def _beginning(
  blocks: Iterable[media.Audio],
) -> tuple[np.ndarray, float, float]:
  """The sound at the rate that is looked at, that rate, its first time."""
  parts: list[np.ndarray] = []
  rate, start_s = 1, 0.0
  for block in blocks:
    if not parts:
      rate, start_s = block.rate, block.start_s
    parts.append(block.samples.mean(1))
  if not parts or rate < _RATE:
    return np.zeros(0), float(_RATE), 0.0
  sound = np.nan_to_num(np.concatenate(parts).astype(np.float64))
  factor = rate // _RATE
  if factor > 1 and len(sound) > 20 * factor:
    from scipy import signal

    sound = signal.decimate(sound, factor, ftype="fir", zero_phase=True)
  else:
    factor = 1
  return sound, rate / factor, start_s


def spectrum(sound: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
  """Power over frequency, a mean of half overlapping windows of up to 6 s.

  Args:
    sound: float [n], of one channel.
    rate: samples per second.

  Returns:
    Frequencies, Hz, and powers, float64 [m] each.
  """
  length = min(len(sound), int(_SPECTRUM_S * rate))
  size = 1 << (4 * length - 1).bit_length()
  window = np.hanning(length + 2)[1:-1]
  starts = range(0, len(sound) - length + 1, max(1, length // 2))
  powers = [
    np.abs(np.fft.rfft(sound[s : s + length] * window, size)) ** 2
    for s in starts
  ]
  # Digital silence has no neighbourhood.
  return np.fft.rfftfreq(size, 1 / rate), np.mean(powers, axis=0) + 1e-9


def _followed(
  sound: np.ndarray, rate: float, hz: float, level: float
) -> Line | None:
  """A line, followed through the sound; None where it is not steady."""
  length, hop = int(_FOLLOW_S * rate), int(_HOP_S * rate)
  window = np.hanning(length + 2)[1:-1] * np.exp(
    -2j * np.pi * hz / rate * np.arange(length)
  )
  starts = np.arange(0, len(sound) - length + 1, hop)
  seen = np.lib.stride_tricks.sliding_window_view(sound, length)[starts]
  seen = (seen @ window) * np.exp(-2j * np.pi * hz / rate * starts)
  loud = 20 * np.log10(np.abs(seen) + 1e-12)
  steps = np.angle(seen[1:] * np.conj(seen[:-1]))
  typical = float(np.median(steps))
  steps = np.angle(np.exp(1j * (steps - typical)))
  # Robust, so that a splice does not hide the line that shows it.
  steady_db = 1.4826 * float(np.median(np.abs(loud - np.median(loud))))
  steady = 1.4826 * float(np.median(np.abs(steps)))
  if steady_db > _STEADY_DB or steady > _STEADY_RADIANS:
    return None
  return Line(hz + typical * rate / (2 * np.pi * hop), level, steps)


def _fits(
  found: list[Line], tolerance_hz: float
) -> list[tuple[float, float, list[int], float]]:
  """Mains of whose multiples some lines are.

  Returns:
    Frequency of the fundamental as it is heard, of the mains, numbers of the
    lines, and log odds against lines that are anywhere.
  """
  hz = np.array([line.hz for line in found])
  level = np.array([line.level for line in found])
  chance = min(0.5, len(found) * 2 * tolerance_hz / _TOP_HZ)
  fits = []
  for number, multiple in itertools.product(
    range(len(found)), range(1, _HARMONICS + 1)
  ):
    f0 = hz[number] / multiple
    if not MAINS[0] / 8.5 < f0 < MAINS[1] * 8.5:
      continue
    nearest = np.rint(hz / f0)
    near = (np.abs(hz - nearest * f0) < tolerance_hz) & (nearest >= 1)
    near &= nearest <= _HARMONICS
    members = np.flatnonzero(near)
    if number != members[level[members].argmax()]:
      continue  # The strongest line stands for its comb.
    # Lines refine each other; high multiples tell more.
    orders = nearest[members]
    weight = level[members]
    f0 = float(
      (weight * orders * hz[members]).sum() / (weight * orders**2).sum()
    )
    present = set(orders.astype(int))
    comb = (len(present) - 1) * -math.log(chance)
    for order, heard in enumerate(_HEARD, 1):
      if order in present:
        comb += math.log(heard)
      elif _AUDIBLE_HZ < order * f0 < _TOP_HZ:
        comb += _UNHEARD * math.log(1 - heard)
    odds = min(comb, _COMB) + math.log(_LOUDEST[multiple - 1] / len(found))
    for mains in MAINS:
      expected = usual.prior(f0 / mains, usual.FACTORS, _EXACT, _ANYTHING)
      density = expected / _ALL_FACTORS / (_EXACT * math.sqrt(2 * math.pi))
      place = math.log(density * _ANYWHERE_NATS / len(MAINS))
      fits.append((f0, mains, list(map(int, members)), odds + place))
  return fits


def _jumps(found: list[Line]) -> list[float]:
  """Times at which the phase of strong lines jumps, seconds."""
  strong = [line for line in found if line.level >= _JUMP_DB]
  if len(strong) < 2:
    return []
  # A splice is in so many windows, and moves the phase by a part in each.
  sums = [
    np.convolve(line.steps, np.ones(_SPLICE), mode="valid") for line in strong
  ]
  # A cut may be of whole periods of some lines.
  turned = np.median([np.abs(np.angle(np.exp(1j * s))) for s in sums], axis=0)
  steady = 1.4826 * float(np.median(turned))
  over = np.flatnonzero(turned > max(_JUMP_RADIANS, 6 * steady))
  if not len(over):
    return []
  groups = np.split(over, np.flatnonzero(np.diff(over) > _SPLICE) + 1)
  return [
    float((group.mean() + _SPLICE / 2) * _HOP_S + _FOLLOW_S / 2)
    for group in groups
  ]
