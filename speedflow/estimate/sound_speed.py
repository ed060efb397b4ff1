"""From sound to the speed at which it is played."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from speedflow import media
from speedflow.estimate import sound_network, weights
from speedflow.evaluation.speed import Z80
from speedflow.sound import evidence, music, spectra

# Windows say much the same: more than so many add nothing.
_INDEPENDENT = 4.0
# Octaves: an interval wider than this says nothing.
_WIDEST = 2.5


@dataclasses.dataclass(frozen=True)
class SoundSpeed:
  """How fast sound is played; all None where that cannot be known.

  Attributes:
    speed: playback speed factor; 2: twice as fast as it was.
    speed_low: lower end of its 80 % interval.
    speed_high: upper end.
  """

  speed: float | None = None
  speed_low: float | None = None
  speed_high: float | None = None


class SoundModel:
  """Estimates how fast sound is played."""

  def __init__(self, listener: sound_network.Listener, width: float = Z80):
    """Wraps a trained network.

    Args:
      listener: the network: `sound_network.of_model` or `of_weights`.
      width: half width of an 80 % interval, in predicted standard deviations.
    """
    self._width = width
    self._columns = listener.columns
    self._centres = listener.centres
    self._program = listener.program

  def estimate(
    self,
    blocks: Iterable[media.Audio],
    start_s: float | None = None,
    end_s: float | None = None,
  ) -> SoundSpeed:
    """Estimates one speed for a span of sound.

    Memory does not grow with the length of the sound.

    Args:
      blocks: consecutive blocks of one rate, as `media.audio_blocks` gives
        them.
      start_s: start of the span, seconds on the file's clock; None: all.
      end_s: its end.
    """
    tones = music.HeldTones()
    total = np.zeros(len(self._centres))
    count = 0
    for windows in self._windows(blocks, tones, start_s, end_s):
      total += self._log_probability(windows).sum(0)
      count += len(windows)
    if not count or tones.is_music:
      return SoundSpeed()
    middle, spread = self.moments(total / count, count)
    half = self._width * spread
    if 2 * half > _WIDEST:
      return SoundSpeed()
    ends = 2.0 ** np.array([middle, middle - half, middle + half])
    return SoundSpeed(*map(float, ends))

  def moments(
    self, log_probability: np.ndarray, count: int
  ) -> tuple[float, float]:
    """Mean and spread of log2 speed, of so many windows on average."""
    log_probability = log_probability * min(count, _INDEPENDENT) ** 0.5
    probability = np.exp(log_probability - log_probability.max())
    probability /= probability.sum()
    middle = probability @ self._centres
    variance = probability @ (self._centres - middle) ** 2
    return float(middle), float(np.sqrt(variance))

  def _windows(
    self,
    blocks: Iterable[media.Audio],
    tones: music.HeldTones,
    start_s: float | None,
    end_s: float | None,
  ) -> Iterable[np.ndarray]:
    """Batches of half overlapping windows that hold sound."""
    held = np.zeros((0, spectra.BANDS), np.float32)
    for part in spectra.columns(blocks):
      times = part.start_s + np.arange(len(part.decibels)) / (
        spectra.COLUMNS_PER_S
      )
      inside = (times >= (-np.inf if start_s is None else start_s)) & (
        times < (np.inf if end_s is None else end_s)
      )
      decibels = part.decibels[inside]
      tones.add(decibels)
      held = np.concatenate([held, decibels])
      hop = self._columns // 2
      starts = range(0, len(held) - self._columns + 1, hop)
      found = [held[s : s + self._columns] for s in starts]
      found = [w for w in found if evidence.audible(w).mean() > 0.5]
      if found:
        yield np.stack(found)
      held = held[len(starts) * hop :]

  def _log_probability(self, windows: np.ndarray) -> np.ndarray:
    """Of the bins, for windows [n, columns, BANDS]: float64 [n, bins]."""
    found = []
    for first in range(0, len(windows), sound_network.BATCH):
      part = windows[first : first + sound_network.BATCH]
      padded = np.zeros((sound_network.BATCH, *part.shape[1:]), np.float32)
      padded[: len(part)] = part
      (probability,) = self._program()(padded)
      found.append(np.asarray(probability)[: len(part)])
    return np.concatenate(found).astype(np.float64)


def load_sound_model(name: str = "tiny") -> SoundModel:
  """Loads trained weights.

  Args:
    name: of shipped weights, or the path of a .safetensors file.

  Raises:
    SpeedflowError: there are no such weights.
  """
  extra = weights.SOUND.header(name)["extra"]
  return SoundModel(sound_network.of_weights(name), extra.get("width", Z80))
