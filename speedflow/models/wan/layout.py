"""Known frames at their places: one layout for all that Wan is asked for.

Wan-I2V's condition is a mask of the known frames beside their encoding, where
all other frames are grey. With the first frame known it makes a clip; with
first and last, what is between; with every n-th, a higher frame rate; with the
last ones of what was made, more of it.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from speedflow.models.wan import autoencoder as autoencoder_lib
from speedflow.models.wan import pixels

MASKS = 4
"""Channels of the mask: one for each frame that a latent one holds."""


def places(frames: int, every: int) -> np.ndarray:
  """Every n-th frame is known, the first among them.

  Args:
    frames: of the video.
    every: from known frame to known frame; `frames` or more: only the first.

  Returns:
    bool [frames].
  """
  return np.arange(frames) % every == 0


def certainty(exposure: float) -> float:
  """How far a frame is known.

  Args:
    exposure: open-shutter time / interval of the known frames, 0..1.

  Returns:
    1 for a sharp frame, as in Wan; 0.5 for one whose shutter was always open.
  """
  return 1 - exposure / 2


def mask(known: Any) -> Any:
  """The mask of known frames, as the transformer is given it.

  Args:
    known: bool or float [b, t], of JAX or NumPy, 0 where nothing is known; t is
      1 more than a multiple of 4. Wan itself knows 0 and 1; see `certainty`.

  Returns:
    Of the same library, float32 [b, 1 + (t - 1) / 4, 4]: the first latent frame
    holds one frame, which stands for four.
  """
  # Where clips are read, JAX is not woken.
  library: Any = np if isinstance(known, np.ndarray) else jnp
  first = library.repeat(known[:, :1], MASKS, 1)
  whole = library.concatenate([first, known[:, 1:]], 1).astype(np.float32)
  return whole.reshape(len(known), -1, MASKS)


def condition(
  autoencoder: autoencoder_lib.Autoencoder | pixels.Pixels,
  video: jax.Array,
  known: jax.Array,
) -> jax.Array:
  """What stands beside the noisy latents.

  Args:
    autoencoder: Wan's.
    video: float [b, t, h, w, 3], -1 to 1; what is not known does not matter.
    known: as in `mask`.

  Returns:
    float [b, t', h', w', 4 + z_dim], latents of `autoencoder.encode`.
  """
  shown = jnp.where(known[..., None, None, None] > 0, video, 0)
  latents = autoencoder.encode(shown)
  masks = mask(known).astype(latents.dtype)[:, :, None, None]
  masks = jnp.broadcast_to(masks, (*latents.shape[:-1], MASKS))
  return jnp.concatenate([masks, latents], -1)
