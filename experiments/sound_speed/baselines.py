"""What the ear has to beat: jumps of the spectral centroid."""

import numpy as np
from scipy import signal

from speedflow.sound import evidence, spectra
from speedflow.sound.changes import SoundChange

_SIDE_COLUMNS = 50
_APART_COLUMNS = 40


def centroid_changes(
  decibels: np.ndarray, start_s: float, threshold: float
) -> list[SoundChange]:
  """Where the median centroid of half a second differs from the next.

  Speed moves the centroid by its ratio. This is the textbook detector of a
  jump in one number, with the number that resampling moves most directly.

  Args:
    decibels: float32 [n, BANDS], columns.
    start_s: time of the first.
    threshold: least jump, octaves.
  """
  power = 10.0 ** (decibels / 10)
  octaves = np.arange(spectra.BANDS) / spectra.BANDS_PER_OCTAVE
  centroid = (power * octaves).sum(1) / power.sum(1)
  centroid[~evidence.audible(decibels)] = np.nan
  jump = np.zeros(len(centroid))
  for at in range(evidence.MIN_COLUMNS, len(centroid) - evidence.MIN_COLUMNS):
    sides = (
      centroid[max(0, at - _SIDE_COLUMNS) : at],
      centroid[at : at + _SIDE_COLUMNS],
    )
    known = [side[~np.isnan(side)] for side in sides]
    if min(map(len, known)) >= evidence.MIN_COLUMNS:
      jump[at] = np.median(known[1]) - np.median(known[0])
  peaks, _ = signal.find_peaks(
    np.abs(jump), height=threshold, distance=_APART_COLUMNS
  )
  return [
    SoundChange(
      time_s=start_s + (at - 0.5) / spectra.COLUMNS_PER_S,
      ratio=float(2.0 ** jump[at]),
      ratio_low=float(2.0 ** jump[at]),
      ratio_high=float(2.0 ** jump[at]),
      probability=1.0,
    )
    for at in peaks
  ]
