"""From a log-frequency spectrogram to a distribution over playback speed.

Another speed shifts such a spectrogram along frequency and squeezes it along
time, so convolutions over both see the same shapes elsewhere; where they are
along frequency, on which the speed depends, is kept up to the last layers.
"""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

# Decibels of ordinary sound in a band become about -1..1.
_MIDDLE_DB = -70.0
_RANGE_DB = 25.0
_STRIDE = 2
# Features left at each place along frequency before all places meet.
_NARROW = 16


@dataclasses.dataclass(frozen=True)
class SoundNetConfig:
  """Sizes of a `SoundNet`.

  Attributes:
    columns: of a window.
    bands: of a column.
    width: channels of the first convolution; later ones have more.
    depth: number of convolutions, each of which halves time and frequency.
    hidden: features between places and bins.
    bins: number of bins of log2 speed.
    low: log2 speed at the first bin's centre.
    high: log2 speed at the last bin's centre.
    dropout: rate, in training.
    dtype: what the network computes in; parameters are float32.
  """

  columns: int = 80
  bands: int = 179
  width: int = 16
  depth: int = 3
  hidden: int = 96
  bins: int = 49
  low: float = -3.0
  high: float = 3.0
  dropout: float = 0.2
  dtype: DTypeLike = jnp.float32

  @property
  def centres(self) -> jax.Array:
    """float32 [bins]: the log2 speed at the centre of each bin."""
    return jnp.linspace(self.low, self.high, self.bins)


class SoundNet(nnx.Module):
  """Spectrogram -> logits over log2 speed."""

  def __init__(self, config: SoundNetConfig, rngs: nnx.Rngs):
    """Builds the network.

    Args:
      config: its sizes.
      rngs: for the initial parameters.
    """
    self.config = config
    dtype = config.dtype
    widths = [1, *(config.width * (i + 1) for i in range(config.depth))]
    self.convolutions = nnx.List(
      [
        nnx.Conv(
          before,
          after,
          kernel_size=(5, 5) if before == 1 else (3, 3),
          strides=_STRIDE,
          dtype=dtype,
          rngs=rngs,
        )
        for before, after in itertools.pairwise(widths)
      ]
    )
    self.norms = nnx.List(
      [nnx.LayerNorm(width, dtype=dtype, rngs=rngs) for width in widths[1:]]
    )
    self.narrow = nnx.Linear(2 * widths[-1], _NARROW, dtype=dtype, rngs=rngs)
    places = -(-config.bands // _STRIDE**config.depth)
    self.dropout = nnx.Dropout(config.dropout)
    self.hidden = nnx.Linear(
      places * _NARROW, config.hidden, dtype=dtype, rngs=rngs
    )
    self.logits = nnx.Linear(
      config.hidden,
      config.bins,
      kernel_init=nnx.initializers.zeros,
      rngs=rngs,
    )

  def __call__(
    self, decibels: jax.Array, rng: jax.Array | None = None
  ) -> jax.Array:
    """Estimates the speed of windows of sound.

    Args:
      decibels: float [b, columns, bands], of `speedflow.sound.spectra`.
      rng: key for dropout; None: evaluation, no dropout.

    Returns:
      float32 [b, bins]: logits over `config.centres`.
    """
    x = (decibels.astype(jnp.float32) - _MIDDLE_DB) / _RANGE_DB
    x = x[..., None].astype(self.config.dtype)
    for convolution, norm in zip(self.convolutions, self.norms, strict=True):
      x = nnx.relu(norm(convolution(x)))
    # [b, time, places, width] -> [b, places, 2 width]: when does not matter.
    x = jnp.concatenate([x.mean(1), x.max(1)], -1)
    x = nnx.relu(self.narrow(x))
    x = x.reshape(x.shape[0], -1)
    keys = (None, None) if rng is None else jax.random.split(rng)
    x = self._drop(x, keys[0])
    x = self._drop(nnx.relu(self.hidden(x)), keys[1])
    return self.logits(x.astype(jnp.float32))

  def _drop(self, x: jax.Array, rng: jax.Array | None) -> jax.Array:
    return self.dropout(x, deterministic=rng is None, rngs=rng)
