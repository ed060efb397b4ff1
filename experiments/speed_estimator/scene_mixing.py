"""Puts places of several scenes into one clip, when they play alike.

Clips of one step between frames show the same flow of time, whatever they
show. A clip that is made of patches of two such clips has a scene that nobody
filmed, and its label is still right: a few hundred scenes become all their
pairs. (CutMix, Yun et al., ICCV 2019, mixes labels; here they are equal.)
"""

import jax
import jax.numpy as jnp

CLOSE = 0.12
"""Octaves by which the steps of two scenes may differ."""


def mix_scenes(
  rng: jax.Array,
  maps: jax.Array,
  length: jax.Array,
  log2_step: jax.Array,
  source: jax.Array,
  *,
  chance: float,
  patch: int,
) -> tuple[jax.Array, jax.Array]:
  """Replaces half of the patches of some clips by those of another source.

  Args:
    rng: key.
    maps: float [n, t, h, w, c].
    length: int32 [n], how many of the t are there.
    log2_step: float [n]; nan where unknown: such clips are left alone.
    source: int [n], number of the video that each clip comes from.
    chance: that a clip with a partner of the same step is mixed.
    patch: side of a patch, in cells; it divides h and w.

  Returns:
    Maps and lengths; a mixed clip is as long as the shorter of the two.
  """
  n, _, h, w, _ = maps.shape
  key_partner, key_chance, key_patches = jax.random.split(rng, 3)
  # No comparison with nan is true.
  fits = jnp.abs(log2_step[:, None] - log2_step[None]) < CLOSE
  fits &= source[:, None] != source[None]
  partner = (jax.random.uniform(key_partner, (n, n)) * fits).argmax(1)
  mixed = fits.any(1) & (jax.random.uniform(key_chance, (n,)) < chance)
  patches = jax.random.bernoulli(
    key_patches, 0.5, (n, 1, h // patch, w // patch, 1)
  )
  cells = patches.repeat(patch, 2).repeat(patch, 3)
  theirs = cells & mixed[:, None, None, None, None]
  shorter = jnp.minimum(length, length[partner])
  return (
    jnp.where(theirs, maps[partner], maps),
    jnp.where(mixed, shorter, length),
  )
