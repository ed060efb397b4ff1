"""The same networks twice: ours, and those of diffusers and transformers.

Every part is made small, with parameters that follow from their names alone, so
that both sides have the same without a file. `reference` computes the other
side, where PyTorch is, and keeps some of its numbers in `results/parity.json`;
tests compare ours with these, everywhere.
"""

import dataclasses
import json
import pathlib
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from speedflow.models.wan import sampler
from speedflow.weights import tensor_folder
from speedflow.weights import wan as weights

RECORDED = pathlib.Path(__file__).with_name("results") / "parity.json"
"""What `reference` has found."""

TOLERANCE = 1e-4
"""Largest difference that is allowed, of the reference's largest value."""

_KEPT = 40
_TRANSFORMER = {
  "num_attention_heads": 3,
  "attention_head_dim": 20,
  "in_channels": 7,
  "out_channels": 5,
  "text_dim": 24,
  "freq_dim": 16,
  "ffn_dim": 40,
  "num_layers": 3,
}
_TOLD_IMAGE = _TRANSFORMER | {"image_dim": 12, "added_kv_proj_dim": 60}
_AUTOENCODER = {
  "base_dim": 8,
  "z_dim": 4,
  "dim_mult": [1, 2, 4, 4],
  "num_res_blocks": 1,
  "temperal_downsample": [False, True, True],
  "latents_mean": [0.1, -0.2, 0.3, 0.4],
  "latents_std": [1.5, 2.0, 0.7, 1.0],
}
_RESIDUAL = _AUTOENCODER | {
  "decoder_base_dim": 16,
  "num_res_blocks": 2,
  "is_residual": True,
  "in_channels": 12,
  "out_channels": 12,
  "patch_size": 2,
  "scale_factor_spatial": 16,
}
_TEXT = {
  "vocab_size": 50,
  "d_model": 24,
  "d_kv": 6,
  "d_ff": 40,
  "num_layers": 3,
  "num_heads": 4,
}
_IMAGE = {
  "hidden_act": "gelu",
  "hidden_size": 24,
  "intermediate_size": 40,
  "num_hidden_layers": 4,
  "num_attention_heads": 4,
  "image_size": 28,
  "patch_size": 7,
}
_TOKENS, _TEXT_LENGTH = 50, 512


@dataclasses.dataclass(frozen=True)
class Case:
  """A part, its sizes, and what it is given.

  Attributes:
    part: "transformer", "encode", "decode", "text", "image" or "sample".
    fields: of its `config.json`.
    shapes: of what it is given, as ours takes it.
  """

  part: str
  fields: Mapping[str, Any]
  shapes: Mapping[str, tuple[int, ...]]


def _seen(frames: int, rows: int, columns: int, *, per_frame: bool = False):
  time = (2, frames) if per_frame else (2,)
  return {
    "latents": (2, frames, rows, columns, 7),
    "time": time,
    "text": (2, _TEXT_LENGTH, 24),
  }


CASES = {
  "T2V": Case("transformer", _TRANSFORMER, _seen(3, 6, 8)),
  "T2V, another shape": Case("transformer", _TRANSFORMER, _seen(1, 10, 4)),
  "TI2V, a time for each frame": Case(
    "transformer", _TRANSFORMER, _seen(3, 6, 8, per_frame=True)
  ),
  "I2V": Case(
    "transformer", _TOLD_IMAGE, {**_seen(3, 6, 8), "image": (2, 3, 12)}
  ),
  "first and last frame": Case(
    "transformer",
    _TOLD_IMAGE | {"pos_embed_seq_len": 6},
    {**_seen(2, 4, 6), "image": (4, 3, 12)},
  ),
  **{
    f"{name}, encoder, {frames} frames": Case(
      "encode", fields, {"video": (2, frames, 32, 48, 3)}
    )
    for name, fields in (("2.1", _AUTOENCODER), ("2.2", _RESIDUAL))
    for frames in (1, 5, 18)
  },
  **{
    f"{name}, decoder, {frames} latent frames": Case(
      "decode", fields, {"latents": (2, frames, 4, 6, 4)}
    )
    for name, fields in (("2.1", _AUTOENCODER), ("2.2", _RESIDUAL))
    for frames in (1, 2, 5)
  },
  "UMT5": Case("text", _TEXT, {"tokens": (2, 300), "lengths": (2,)}),
  "CLIP": Case("image", _IMAGE, {"pictures": (2, 28, 28, 3)}),
  "CLIP, quick": Case(
    "image", _IMAGE | {"hidden_act": "quick_gelu"}, {"pictures": (2, 28, 28, 3)}
  ),
  **{
    f"T2V, {count} steps of {method}": Case(
      "sample",
      _TRANSFORMER | {"in_channels": 5, "method": method, "steps": count},
      {"latents": (1, 3, 6, 8, 5), "text": (1, _TEXT_LENGTH, 24)},
    )
    for method, count in (("unipc", 10), ("euler", 10))
  },
}
"""All that is compared, by name."""

SHIFT = 3.0
"""Of the sampler's times."""


def parameter(name: str, shape: tuple[int, ...]) -> np.ndarray:
  """A parameter that follows from its name, float32.

  Args:
    name: of the tensor, as it is published.
    shape: of it.
  """
  rng = np.random.default_rng(zlib.crc32(name.encode()))
  drawn = rng.standard_normal(shape)
  last = name.rsplit(".", 1)[-1]
  norm = last == "gamma" or (last == "weight" and len(shape) == 1)
  if norm:
    return (1 + 0.1 * drawn).astype(np.float32)
  fan = float(np.prod(shape[1:])) if len(shape) > 1 else 100.0
  return (drawn / np.sqrt(fan)).astype(np.float32)


def network_of(case: Case) -> str:
  """Names the network of a case: cases of one network have equal names."""
  text = json.dumps([case.part, _config(case)], sort_keys=True)
  if case.part in ("encode", "decode"):
    text = json.dumps(_config(case), sort_keys=True)
  return f"{zlib.crc32(text.encode()):08x}"


def given(case: Case) -> dict[str, np.ndarray]:
  """What a part is given, by name."""
  rng = np.random.default_rng(0)
  made: dict[str, np.ndarray] = {}
  for name, shape in case.shapes.items():
    if name == "tokens":
      made[name] = rng.integers(0, _TOKENS, shape).astype(np.int32)
    elif name == "lengths":
      made[name] = np.array([300, 40], np.int32)
    elif name == "time":
      made[name] = (1000 * rng.random(shape)).astype(np.float32)
    elif name == "video":
      made[name] = rng.uniform(-1, 1, shape).astype(np.float32)
    else:
      made[name] = rng.standard_normal(shape).astype(np.float32)
  return made


def ours(
  case: Case, shapes: Mapping[str, tuple[int, ...]], folder: pathlib.Path
) -> np.ndarray:
  """What our network gives.

  Args:
    case: of it.
    shapes: of the published tensors, by name.
    folder: an empty one; the network is written there as it is published, and
      loaded.
  """
  tensors = {name: parameter(name, shape) for name, shape in shapes.items()}
  sizes = {name: value.nbytes for name, value in tensors.items()}
  tensor_folder.write(
    folder, "diffusion_pytorch_model", tensors.items(), sizes, file_bytes=50_000
  )
  (folder / "config.json").write_text(json.dumps(_config(case)))
  values = {name: jnp.asarray(value) for name, value in given(case).items()}
  return np.asarray(_COMPUTED[case.part](case, folder, values))


def _config(case: Case) -> dict[str, Any]:
  return {
    name: value
    for name, value in case.fields.items()
    if name not in ("method", "steps")
  }


def _transformer(case: Case, folder: pathlib.Path, values) -> jax.Array:
  del case
  network = weights.load_transformer(folder)
  return jax.jit(lambda given: network(**given))(values)


def _encode(case: Case, folder: pathlib.Path, values) -> jax.Array:
  del case
  return jax.jit(weights.load_autoencoder(folder).encode)(values["video"])


def _decode(case: Case, folder: pathlib.Path, values) -> jax.Array:
  del case
  return jax.jit(weights.load_autoencoder(folder).decode)(values["latents"])


def _text(case: Case, folder: pathlib.Path, values) -> jax.Array:
  del case
  tokens = values["tokens"]
  present = jnp.arange(tokens.shape[1]) < values["lengths"][:, None]
  network = weights.load_text_encoder(folder)
  return jax.jit(lambda *given: network(*given))(tokens, present)


def _image(case: Case, folder: pathlib.Path, values) -> jax.Array:
  del case
  network = weights.load_image_encoder(folder)
  return jax.jit(lambda given: network(given))(values["pictures"])


def _sample(case: Case, folder: pathlib.Path, values) -> jax.Array:
  network = weights.load_transformer(folder)
  method = case.fields["method"]
  velocity = jax.jit(
    lambda x, time: network(x, jnp.full(len(x), time), values["text"])
  )
  flow = sampler.sample(
    velocity,
    values["latents"],
    sampler.steps(case.fields["steps"], SHIFT, method),
    method,
  )
  return jnp.stack(list(flow))


_COMPUTED: dict[str, Callable[..., jax.Array]] = {
  "transformer": _transformer,
  "encode": _encode,
  "decode": _decode,
  "text": _text,
  "image": _image,
  "sample": _sample,
}


def kept(values: np.ndarray) -> np.ndarray:
  """Some numbers of an answer, evenly spread, float64."""
  flat = values.reshape(-1).astype(np.float64)
  return flat[np.linspace(0, len(flat) - 1, _KEPT).astype(int)]
