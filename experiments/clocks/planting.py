"""Hum and flicker, calculated, and laid into real sound and pictures.

They are as strong as what the real clips of `train` and `val` turned out to
have; see README.md.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import signal

from speedflow.clocks import hum

PROFILES: tuple[dict[int, float], ...] = (
  {2: 20, 3: 18, 4: 18, 5: 12, 6: 22},
  {2: 12, 4: 24, 6: 17},
  {2: 20, 4: 18},
  {1: 31},
  {2: 16, 3: 11},
  {2: 14, 6: 17, 12: 22},
  {1: 29, 4: 21, 6: 12},
)
"""Multiples of the mains, and decibels above their neighbourhood in a spectrum
of 6 s: of a street camera, a laptop, a phone, a camcorder, a phone outdoors, a
machine hall and another laptop."""

DEPTHS = 0.003, 0.08
"""Flicker, peak over mean of stored values: from lamps of high-speed cameras
to a fluorescent tube; between them log-uniform."""

_SPECTRUM_S = 6.0
_AROUND_HZ = 12.0
# Hz a second: how mains wander. Relative: how far off clocks are.
_WANDER, _OFF = 0.005, 2e-4
_LEVEL_DB = 3.0


def with_hum(
  samples: np.ndarray,
  rate: int,
  mains: float,
  profile: dict[int, float],
  rng: np.random.Generator,
) -> np.ndarray:
  """Adds hum to sound.

  Args:
    samples: float32 [n, channels].
    rate: samples per second, 4 kHz or more.
    mains: Hz.
    profile: one of `PROFILES`.
    rng: of phases, of how the mains wander, and of the level (3 dB).

  Returns:
    Like `samples`.
  """
  mono = samples.mean(1).astype(np.float64)
  factor = max(1, rate // 4000)
  low = signal.decimate(mono, factor, ftype="fir") if factor > 1 else mono
  hz, power = hum.spectrum(low, rate / factor)
  length = min(len(low), int(_SPECTRUM_S * rate / factor))
  longer = _SPECTRUM_S * rate / factor / length
  weight = np.hanning(length + 2)[1:-1].sum() * longer
  seconds = np.arange(len(mono)) / rate
  steps = _WANDER * np.cumsum(rng.normal(size=int(seconds[-1]) + 3))
  wandering = mains + np.interp(seconds, np.arange(len(steps)), steps)
  phase = 2 * np.pi * np.cumsum(wandering) / rate
  louder = rng.uniform(-_LEVEL_DB, _LEVEL_DB)
  added = np.zeros(len(mono))
  for order, level in profile.items():
    near = np.abs(hz - order * mains) < _AROUND_HZ
    noise = np.median(power[near]) * longer
    amplitude = 2 * np.sqrt(noise * 10 ** ((level + louder) / 10)) / weight
    added += amplitude * np.cos(order * phase + rng.uniform(0, 2 * np.pi))
  return (samples + added[:, None]).astype(np.float32)


def visible(lamp: float, rate: float, frames: int) -> bool:
  """Whether a lamp's flicker is a line that is neither slow nor folded.

  Args:
    lamp: Hz.
    rate: frames per second of the world that are shown.
    frames: so many.
  """
  alias = lamp / rate % 1
  return 0.1 < min(alias, 1 - alias) < 0.5 - 2 / frames


def with_flicker(
  images: Sequence[np.ndarray],
  rate: float,
  readout: float,
  lamp: float,
  rng: np.random.Generator,
) -> Iterator[np.ndarray]:
  """Lights pictures by a lamp that flickers.

  Args:
    images: uint8 [h, w, 3] each.
    rate: frames per second of the world between them.
    readout: share of a second over which the rows are read; 0: all at once.
    lamp: Hz.
    rng: of depth, phase, how far camera and mains are off, and how much less
      one side of the picture is lit by it.
  """
  depth = float(np.exp(rng.uniform(*np.log(DEPTHS))))
  lamp = lamp * (1 + _OFF * rng.normal())
  rate = rate * (1 + _OFF * rng.normal())
  phase = rng.uniform(0, 2 * np.pi)
  height, width = images[0].shape[:2]
  rows = np.arange(height)[:, None] / height * readout
  share = np.linspace(1, rng.uniform(0.4, 1), width)[:: rng.choice([-1, 1])]
  for number, image in enumerate(images):
    wave = np.cos(2 * np.pi * lamp * (number / rate + rows) + phase)
    lit = image * (1 + depth * wave * share)[..., None]
    # Dither, as noise of a sensor does.
    lit += rng.uniform(-0.5, 0.5, lit.shape)
    yield np.clip(np.rint(lit), 0, 255).astype(np.uint8)
