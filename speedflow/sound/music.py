"""Is it music? Tones that are held say so; voices glide, scenes are noisy."""

import numpy as np

from speedflow.sound import spectra

# Bands in which partials are resolved: 420 Hz to 7 kHz.
_BANDS = slice(42, 140)
# A partial stands out from the bands around it by so much.
_NEIGHBOURS = 13
_PROMINENCE_DB = 9.0
# It is held once it has lasted so many columns.
_HELD_COLUMNS = 25
# So many partials together are no whistle and no hum.
_PARTIALS = 2
# Music has them for so much of its time.
_LEAST_SHARE = 0.1


class HeldTones:
  """Counts, column by column, how long tones are held."""

  def __init__(self):
    self._run = np.zeros(len(range(*_BANDS.indices(spectra.BANDS))), int)
    self._columns = 0
    self._held = 0

  def add(self, decibels: np.ndarray) -> None:
    """Takes in the next columns, float32 [n, BANDS]."""
    # Files without sound need not wait for the import.
    from scipy import ndimage

    part = decibels[:, _BANDS]
    around = ndimage.median_filter(part, (1, _NEIGHBOURS))
    for stands_out in part - around > _PROMINENCE_DB:
      self._run = (self._run + 1) * stands_out
      held = self._run >= _HELD_COLUMNS
      # One partial may stand out in bands next to each other.
      partials = held[0] + (held[1:] & ~held[:-1]).sum()
      self._held += int(partials >= _PARTIALS)
    self._columns += len(part)

  @property
  def share(self) -> float:
    """Share of the time during which several tones are held, 0..1."""
    return self._held / max(self._columns, 1)

  @property
  def is_music(self) -> bool:
    """Whether most of the sound added so far must be music."""
    return self.share >= _LEAST_SHARE
