"""How well the sound after a moment is the sound before it, at another speed.

For a moment, and for every ratio of speeds, the spectrum after is compared
with the spectrum before, shifted by that ratio along log frequency: by level,
by slope (the bandwidth edge and the shape of the noise floor are slopes), by
correlation, and by what of the band must be empty because slowed sound has
nothing above its old edge.
"""

import numpy as np

from speedflow.sound import spectra

LAGS = np.arange(-50, 51)
"""Shifts that are compared, in bands: a little over two octaves each way."""

SCALES_S = (0.2, 0.5, 1.2)
"""Seconds on each side of the moment."""

GUARD = 2
"""Columns next to a moment whose window may reach over it."""

MIN_COLUMNS = 12
"""A side with fewer columns that sound is too short to compare."""

# Quieter in every band: digital silence, or none at all.
_SILENT_DB = -105.0
# The quiet moments: the noise floor, which events in the scene leave alone.
_FLOOR_QUANTILE = 0.2
# A band counts as filled this much above the quietest there is.
_FILLED_DB = 10.0
_LARGEST_DB = 30.0

_BANDS = np.arange(spectra.BANDS)
# For each shift, the band before that a band after comes from; and whether
# there is one.
_SOURCE = np.clip(_BANDS - LAGS[:, None], 0, spectra.BANDS - 1)
_INSIDE = np.equal(_SOURCE, _BANDS - LAGS[:, None])

SPECTRA = 2 * len(SCALES_S)
MEASURES = 4
FEATURES = SPECTRA * MEASURES


def audible(decibels: np.ndarray) -> np.ndarray:
  """Which columns [n, BANDS] hold any sound, bool [n]."""
  return decibels.max(1) > _SILENT_DB


def side_spectra(
  decibels: np.ndarray, sounds: np.ndarray, moment: int
) -> np.ndarray | None:
  """Typical and quiet spectra of both sides of a moment, at each scale.

  Args:
    decibels: float32 [n, BANDS], consecutive columns.
    sounds: bool [n], `audible` of them.
    moment: number of the first column after the moment.

  Returns:
    float32 [2, SPECTRA, BANDS], before and after. None where either side has
    too little sound.
  """
  sides = []
  for step in (-1, 1):
    found = []
    for scale in SCALES_S:
      reach = round(scale * spectra.COLUMNS_PER_S)
      if step < 0:
        span = slice(max(0, moment - reach), max(0, moment - GUARD))
      else:
        span = slice(moment + GUARD, moment + reach)
      part = decibels[span][sounds[span]]
      if len(part) < MIN_COLUMNS:
        return None
      found += [part.mean(0), noise_floor(part)]
    sides.append(found)
  return np.array(sides, np.float32)


def noise_floor(decibels: np.ndarray) -> np.ndarray:
  """What is left when nothing happens in the scene, [n, BANDS] -> [BANDS]."""
  rank = int(_FLOOR_QUANTILE * len(decibels))
  return np.partition(decibels, rank, axis=0)[rank]


def compare(sides: np.ndarray) -> np.ndarray:
  """Compares both sides at every shift.

  Args:
    sides: float32 [2, SPECTRA, BANDS], of `side_spectra`.

  Returns:
    float32 [LAGS, FEATURES]: for each spectrum mean absolute difference of
    level (in units of 10 dB), of slope, correlation, and how full the part is
    that must be empty (in units of 10 dB).
  """
  before, after = sides
  ceiling = _ceiling(before, after)
  top = ceiling[:, None, None]
  # [SPECTRA, LAGS, BANDS]
  shared = _INSIDE & (top >= _BANDS) & (top >= _SOURCE)
  count = np.maximum(shared.sum(-1, dtype=np.float32), 1)

  def mean(x: np.ndarray) -> np.ndarray:
    return np.einsum("slb,slb->sl", x, shared, dtype=np.float32) / count

  x = np.broadcast_to(after[:, None], shared.shape)
  y = before[:, _SOURCE]
  level = np.minimum(np.abs(x - y), _LARGEST_DB)
  slope = np.abs(_rises(after)[:, None] - _rises(before)[:, _SOURCE])
  slope = np.minimum(slope, _LARGEST_DB)
  mean_x, mean_y = mean(x), mean(y)
  covariance = mean(x * y) - mean_x * mean_y
  power = (mean(x * x) - mean_x**2) * (mean(y * y) - mean_y**2)
  correlation = covariance / np.sqrt(np.maximum(power, 0.0) + 1.0)
  overfull = _overfull(before, after, ceiling)
  measures = (mean(level) / 10, mean(slope) / 10, correlation, overfull / 10)
  return np.concatenate([m.T for m in measures], axis=1).astype(np.float32)


def is_sharp(features: np.ndarray, shift: np.ndarray) -> np.ndarray:
  """Whether a shift explains even what is next to the moment.

  Spectra of a second notice a change that is half a second away; the shortest
  ones differ by it only where it is.

  Args:
    features: float32 [n, LAGS, FEATURES], of `compare`.
    shift: int [n], number of the shift in `LAGS`.

  Returns:
    bool [n]: at the shift, levels of the shortest spectra differ less than at
    none.
  """
  # The typical and the quiet spectrum of the first scale.
  level = features[:, :, :2]
  none = level[:, len(LAGS) // 2]
  return (none > level[np.arange(len(level)), shift]).any(1)


def _ceiling(before: np.ndarray, after: np.ndarray) -> np.ndarray:
  """Highest band that either side fills, int [SPECTRA]."""
  filled = np.maximum(before, after) > spectra.FLOOR_DB + _FILLED_DB
  last = spectra.BANDS - 1 - filled[:, ::-1].argmax(1)
  return np.where(filled.any(1), last, 0)


def _rises(decibels: np.ndarray) -> np.ndarray:
  """Change of level over two bands to each side, [SPECTRA, BANDS]."""
  padded = np.pad(decibels, ((0, 0), (2, 2)), mode="edge")
  return padded[:, 4:] - padded[:, :-4]


def _overfull(
  before: np.ndarray, after: np.ndarray, ceiling: np.ndarray
) -> np.ndarray:
  """Mean level, above nothing, of what the slower side cannot hold.

  Decibels, [SPECTRA, LAGS]: of the bands within a shift below the ceiling.
  """
  found = np.zeros((SPECTRA, len(LAGS)), np.float32)
  for row, (old, new, top) in enumerate(
    zip(before, after, ceiling, strict=True)
  ):
    for part, slower in ((LAGS < 0, new), (LAGS > 0, old)):
      level = np.clip(slower - spectra.FLOOR_DB, 0, 2 * _LARGEST_DB)
      # Of the last 1, 2, ... bands up to the ceiling.
      last = level[top::-1]
      running = np.cumsum(last) / np.arange(1, len(last) + 1)
      found[row, part] = running[np.minimum(np.abs(LAGS[part]), top + 1) - 1]
  return found
