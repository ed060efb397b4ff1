"""Wan's networks from, and into, folders as they are published.

Parameters go straight to where they are computed on, shard by shard: the host
never holds more than one. What speedflow adds to Wan (speed, and low-rank
matrices) stands in a file of its own beside the tensors, which other libraries
pass over.
"""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from flax import nnx
from jax.sharding import Sharding

from speedflow import wording
from speedflow.errors import SpeedflowError
from speedflow.models.wan import (
  autoencoder,
  image_encoder,
  layers,
  names,
  pixels,
  text_encoder,
  transformer,
)
from speedflow.models.wan import config as config_lib
from speedflow.output.atomic import atomic_path
from speedflow.weights import tensor_folder

Layout = Literal["diffusers", "wan"]
"""Of the library diffusers, or Wan's own."""

Place = Callable[[str, tuple[int, ...]], Sharding]
"""Gives a parameter, by its path and shape, its place on the devices."""

EXTRAS = "speedflow_extras.safetensors"
"""The file of what speedflow has added."""

_STEM = "diffusion_pytorch_model"
_CONFIG = "config.json"
# Of the variables that are stored.
_KINDS = (nnx.Param, layers.Frozen)


@dataclasses.dataclass(frozen=True)
class _Network:
  """A kind of network.

  Attributes:
    name: for the user.
    make: makes one, of its configuration, random numbers and computation.
    config: the class of its configuration.
    rules: its parameters' names; see `names`.
    stack: first part of the names of those that are stacked.
    surplus: whether a tensor of a file, which no parameter is, is known.
  """

  name: str
  make: Callable[[Any, nnx.Rngs, config_lib.Computation], nnx.Module]
  config: Any
  rules: tuple[tuple[str, str], ...]
  stack: str = ""
  surplus: Callable[[str], bool] = lambda name: False


def load_transformer(
  folder: pathlib.Path,
  computed: config_lib.Computation | None = None,
  place: Place | None = None,
  seed: int = 0,
  in_channels: int | None = None,
) -> transformer.Transformer:
  """Loads the transformer.

  Args:
    folder: with `config.json` and the tensors, in diffusers' layout or Wan's.
    computed: how it is to be computed.
    place: where its parameters are kept; by default on the first device.
    seed: for what Wan does not have, where the folder has none of it.
    in_channels: if more than the folder's: to the further ones it is blind
      at first, so that one that starts from a text learns to be shown frames.

  Raises:
    SpeedflowError: a file is missing, damaged, or of another network; a tensor
      is missing, surplus, or of another shape.
  """
  own = "dim" in _config(folder)
  kind = _TRANSFORMERS["wan" if own else "diffusers"]
  model = _load(kind, folder, computed, place, seed)
  assert isinstance(model, transformer.Transformer)
  if in_channels and in_channels > model.config.in_channels:
    _widen(model, in_channels, place)
  return model


def load_autoencoder(
  folder: pathlib.Path,
  computed: config_lib.Computation | None = None,
  place: Place | None = None,
) -> autoencoder.Autoencoder | pixels.Pixels:
  """Loads the video autoencoder, or what is in its place.

  See `load_transformer`.
  """
  sizes = autoencoder_config(folder)
  if isinstance(sizes, pixels.PixelsConfig):
    return pixels.Pixels(sizes)
  residual = sizes.is_residual
  model = _load(_autoencoder(residual), folder, computed, place, 0)
  assert isinstance(model, autoencoder.Autoencoder)
  return model


def load_text_encoder(
  folder: pathlib.Path,
  computed: config_lib.Computation | None = None,
  place: Place | None = None,
) -> text_encoder.TextEncoder:
  """Loads the text encoder; see `load_transformer`."""
  model = _load(_TEXT, folder, computed, place, 0)
  assert isinstance(model, text_encoder.TextEncoder)
  return model


def load_image_encoder(
  folder: pathlib.Path,
  computed: config_lib.Computation | None = None,
  place: Place | None = None,
) -> image_encoder.ImageEncoder:
  """Loads the image encoder; see `load_transformer`."""
  model = _load(_IMAGE, folder, computed, place, 0)
  assert isinstance(model, image_encoder.ImageEncoder)
  return model


def transformer_config(folder: pathlib.Path) -> config_lib.TransformerConfig:
  """Reads the sizes of a transformer; see `load_transformer`."""
  return config_lib.TransformerConfig.read(
    _config(folder), str(folder / _CONFIG)
  )


def autoencoder_config(
  folder: pathlib.Path,
) -> config_lib.AutoencoderConfig | pixels.PixelsConfig:
  """Reads the sizes of a video autoencoder; see `load_autoencoder`."""
  fields = _config(folder)
  kind: Any = config_lib.AutoencoderConfig
  if fields.get("_class_name") == pixels.KIND:
    kind = pixels.PixelsConfig
  return kind.read(fields, str(folder / _CONFIG))


def require_fit(folder: pathlib.Path) -> None:
  """Compares what a pipeline's encoders give with what its transformer takes.

  Args:
    folder: of the pipeline.

  Raises:
    SpeedflowError: they do not fit, or a part is missing.
  """
  taken = transformer_config(folder / "transformer")
  pairs: list[tuple[str, Any, str, str]] = [
    ("vae", None, "z_dim", "out_channels"),
    ("text_encoder", config_lib.TextConfig, "d_model", "text_dim"),
  ]
  if taken.image_dim is not None:
    name = "image_encoder"
    pairs.append((name, config_lib.ImageConfig, "hidden_size", "image_dim"))
  for part, kind, field, wanted in pairs:
    file = folder / part / _CONFIG
    sizes = (
      kind.read(_config(file.parent), str(file))
      if kind
      else autoencoder_config(file.parent)
    )
    found = getattr(sizes, field)
    if found != getattr(taken, wanted):
      raise SpeedflowError(
        f"{file}: {field} is {found}, where the transformer has {wanted} "
        f"{getattr(taken, wanted)}; take both from one Wan"
      )


def transformer_bytes(
  folder: pathlib.Path, computed: config_lib.Computation
) -> int:
  """Bytes of a transformer's parameters; see `load_transformer`."""
  config = transformer_config(folder)
  model = _shapes(_TRANSFORMERS["diffusers"], config, computed, folder)
  return sum(leaf.size * leaf.dtype.itemsize for _, leaf in _parameters(model))


def speed_of(folder: pathlib.Path) -> dict[str, Any]:
  """How weights have learnt speed: fields of `Computation`; none if not."""
  file = folder / EXTRAS
  if not file.exists():
    return {}
  try:
    with safetensors.safe_open(file, framework="numpy") as opened:
      said = opened.metadata() or {}
    return {
      "speed": said["speed"],
      "speed_buckets": int(said["speed_buckets"]),
      "speed_low": float(said["speed_low"]),
      "speed_high": float(said["speed_high"]),
      # Those of before there was one do not say so.
      "speed_clock": said.get("speed_clock", "False") == "True",
    }
  except (safetensors.SafetensorError, KeyError, ValueError) as error:
    raise SpeedflowError(
      f"{file}: says nothing of speed ({wording.one_line(error)}); export it "
      "again"
    ) from error


def save_transformer(
  folder: pathlib.Path,
  model: transformer.Transformer,
  layout: Layout = "diffusers",
  *,
  like: pathlib.Path | None = None,
  file_bytes: int = 5_000_000_000,
) -> None:
  """Writes a transformer as `load_transformer` reads it.

  Low-rank matrices are multiplied into the matrices beside them, so that the
  tensors alone are the whole network but for speed.

  Args:
    folder: made if missing.
    model: to be written.
    layout: of the tensors and of `config.json`.
    like: a folder whose `config.json` is kept, and in whose types of numbers
      tensors are written.
    file_bytes: of a file at most.

  Raises:
    SpeedflowError: a file cannot be written.
  """
  kind = _TRANSFORMERS[layout]
  folder.mkdir(parents=True, exist_ok=True)
  fields = _fields(model.config, layout)
  if like:
    channels = "in_channels" if layout == "diffusers" else "in_dim"
    fields = {**_config(like), channels: model.config.in_channels}
  with atomic_path(folder / _CONFIG) as temporary:
    temporary.write_text(f"{json.dumps(fields, indent=2)}\n", encoding="utf-8")
  flat = dict(_parameters(model))
  places = {
    path: names.stored(path, value.shape, kind.rules, kind.stack)
    for path, value in flat.items()
    if not _is_added(path)
  }
  dtypes: dict[str, np.dtype] = {}
  if like:
    with tensor_folder.TensorFolder(like, without=EXTRAS) as tensors_before:
      dtypes = tensors_before.dtypes
  for path, stored in places.items():
    for name in stored.names:
      dtypes.setdefault(name, np.dtype(flat[path].dtype))
  sizes = {
    name: int(np.prod(stored.shape)) * dtypes[name].itemsize
    for stored in places.values()
    for name in stored.names
  }

  def tensors() -> Iterator[tuple[str, np.ndarray]]:
    for path, stored in places.items():
      value = _merged(path, flat)
      for layer, name in enumerate(stored.names):
        one = value[layer] if stored.stacked else value
        whole = np.asarray(jax.device_get(one)).astype(dtypes[name])
        yield name, _turned_back(whole, stored.turn)

  tensor_folder.write(folder, _STEM, tensors(), sizes, file_bytes=file_bytes)
  added = {
    path: np.asarray(jax.device_get(value))
    for path, value in flat.items()
    if path.startswith("speed/")
  }
  if added:
    with atomic_path(folder / EXTRAS) as temporary:
      computed = model.computed
      said = {
        "speed": computed.speed,
        "speed_buckets": str(computed.speed_buckets),
        "speed_low": str(computed.speed_low),
        "speed_high": str(computed.speed_high),
        "speed_clock": str(computed.speed_clock),
      }
      safetensors.numpy.save_file(added, temporary, said)


def published(part: str, fields: dict[str, Any]) -> dict[str, tuple[int, ...]]:
  """Names and shapes of a network's tensors, as diffusers stores them.

  Args:
    part: "transformer", "vae", "text_encoder" or "image_encoder".
    fields: of its `config.json`.
  """
  kind = {
    "transformer": _TRANSFORMERS["diffusers"],
    "vae": _autoencoder(bool(fields.get("is_residual"))),
    "text_encoder": _TEXT,
    "image_encoder": _IMAGE,
  }[part]
  config = kind.config.read(fields, part)
  model = nnx.eval_shape(
    lambda: kind.make(config, nnx.Rngs(0), config_lib.Computation())
  )
  found: dict[str, tuple[int, ...]] = {}
  for path, leaf in _parameters(model):
    stored = names.stored(path, leaf.shape, kind.rules, kind.stack)
    found |= dict.fromkeys(stored.names, stored.shape)
  return found


def _load(
  kind: _Network,
  folder: pathlib.Path,
  computed: config_lib.Computation | None,
  place: Place | None,
  seed: int,
) -> nnx.Module:
  computed = computed or config_lib.Computation()
  config = kind.config.read(_config(folder), str(folder / _CONFIG))
  model = _shapes(kind, config, computed, folder)
  first = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  place = place or (lambda path, shape: first)
  with tensor_folder.TensorFolder(folder, without=EXTRAS) as tensors:
    shapes = _without_prefix(tensors.shapes, kind)
    found: dict[str, jax.Array] = {}
    wanted = dict(_parameters(model))
    used: set[str] = set()
    for path, leaf in wanted.items():
      if _is_added(path):
        continue
      stored = names.stored(path, leaf.shape, kind.rules, kind.stack)
      _require(stored, shapes, folder, kind.name)
      used.update(stored.names)
      found[path] = _placed(
        leaf,
        stored,
        lambda name, index: tensors.read(shapes[name][0], index),
        place(path, leaf.shape),
      )
    for name in sorted(set(shapes) - used):
      if not kind.surplus(name):
        raise SpeedflowError(
          f"{folder}: {name} is not a tensor of {kind.name} of this"
          f" {_CONFIG}; take both from one place"
        )
  found |= _added(kind, config, computed, folder, wanted, place, seed)
  _fill(model, found)
  return model


def _shapes(
  kind: _Network,
  config: Any,
  computed: config_lib.Computation,
  folder: pathlib.Path,
) -> Any:
  """A network without numbers; refused if its sizes make none."""
  try:
    return nnx.eval_shape(lambda: kind.make(config, nnx.Rngs(0), computed))
  except (ArithmeticError, LookupError, TypeError, ValueError) as error:
    raise SpeedflowError(
      f"{folder / _CONFIG}: its sizes do not make {kind.name}"
      f" ({wording.one_line(error)}); copy or download it again"
    ) from error


def _require(
  stored: names.Stored,
  shapes: Mapping[str, tuple[str, tuple[int, ...]]],
  folder: pathlib.Path,
  what: str,
) -> None:
  for name in stored.names:
    if name not in shapes:
      raise SpeedflowError(
        f"{folder}: no tensor {name} in it, which {what} has; copy or download"
        " it again, whole"
      )
    shape = shapes[name][1]
    if shape != stored.shape:
      raise SpeedflowError(
        f"{folder}: {name} has the shape {shape}, where {_CONFIG} wants"
        f" {stored.shape}; take both from one place"
      )


def _placed(
  leaf: Any,
  stored: names.Stored,
  read: Callable[[str, tuple[slice, ...]], np.ndarray],
  sharding: Sharding,
) -> jax.Array:
  """Reads a parameter, each device its own part."""

  def part(index: tuple[slice, ...] | None) -> np.ndarray:
    index = tuple(
      slice(*given.indices(size)[:2])
      for given, size in zip(
        index or (slice(None),) * len(leaf.shape), leaf.shape, strict=True
      )
    )
    chosen = stored.names
    if stored.stacked:
      chosen, index = chosen[index[0]], index[1:]
    shape = tuple(each.stop - each.start for each in index)
    made = np.empty((len(chosen), *shape), leaf.dtype)
    for layer, name in enumerate(chosen):
      values = read(name, _turned_index(index, stored.turn))
      made[layer] = _turned(values, stored.turn)
    return made if stored.stacked else made[0]

  return jax.make_array_from_callback(leaf.shape, sharding, part)


def _turned_index(
  index: tuple[slice, ...], turn: names.Turn
) -> tuple[slice, ...]:
  if turn == "matrix":
    return index[::-1]
  if turn == "kernel":
    return (index[-1], index[-2], *index[:-2])
  return index


def _turned(values: np.ndarray, turn: names.Turn) -> np.ndarray:
  if turn == "matrix":
    return values.T
  if turn == "kernel":
    return np.moveaxis(values, (0, 1), (-1, -2))
  return values


def _turned_back(values: np.ndarray, turn: names.Turn) -> np.ndarray:
  if turn == "matrix":
    return values.T
  if turn == "kernel":
    return np.moveaxis(values, (-1, -2), (0, 1))
  return values


def _added(
  kind: _Network,
  config: Any,
  computed: config_lib.Computation,
  folder: pathlib.Path,
  wanted: Mapping[str, Any],
  place: Place,
  seed: int,
) -> dict[str, jax.Array]:
  """What Wan does not have: from the folder, or as it is before training."""
  paths = [path for path in wanted if _is_added(path)]
  if not paths:
    return {}
  file = folder / EXTRAS
  stored: dict[str, np.ndarray] = {}
  if file.exists():
    try:
      stored = safetensors.numpy.load_file(file)
    except safetensors.SafetensorError as error:
      raise SpeedflowError(
        f"{file}: not a file of tensors ({wording.one_line(error)}); export it "
        "again"
      ) from error
  shardings = {path: place(path, wanted[path].shape) for path in paths}

  @functools.partial(jax.jit, out_shardings=shardings)
  def fresh(key: jax.Array) -> dict[str, jax.Array]:
    made = kind.make(config, nnx.Rngs(key), computed)
    values = dict(_parameters(made))
    return {path: values[path] for path in paths}

  found = dict(fresh(jax.random.key(seed)))
  for path, value in stored.items():
    if path in found and value.shape == found[path].shape:
      found[path] = jax.device_put(value, shardings[path])
    elif path in found:
      raise SpeedflowError(
        f"{file}: {path} has the shape {value.shape}, where"
        f" {found[path].shape} is wanted; export it again"
      )
  return found


def _widen(
  model: transformer.Transformer, in_channels: int, place: Place | None
) -> None:
  """Gives the patches further channels, to which they are blind."""
  layer = model.patch_embedding
  more = in_channels - model.config.in_channels
  *places, _, width = layer.kernel.shape
  shape = (*places, in_channels, width)
  where = layer.kernel.get_value().sharding
  if place:
    where = place("patch_embedding/kernel", shape)

  @functools.partial(jax.jit, out_shardings=where)
  def padded(kernel: jax.Array) -> jax.Array:
    none = ((0, 0),) * len(places)
    return jnp.pad(kernel, (*none, (0, more), (0, 0)))

  layer.kernel.set_value(padded(layer.kernel.get_value()))
  layer.in_features = in_channels
  model.config = dataclasses.replace(model.config, in_channels=in_channels)


def _merged(path: str, flat: Mapping[str, jax.Array]) -> jax.Array:
  """A matrix with the low-rank matrices beside it multiplied in."""
  value = flat[path]
  beside = path.removesuffix("/kernel") + "/lora/lora_"
  if f"{beside}a" not in flat:
    return value
  low = flat[f"{beside}a"] @ flat[f"{beside}b"]
  return (value.astype(jnp.float32) + low).astype(value.dtype)


def _is_added(path: str) -> bool:
  return bool(layers.ADDED & set(path.split("/")))


def _parameters(model: nnx.Module) -> Iterator[tuple[str, Any]]:
  """Paths and values, or shapes, of the parameters."""
  flat = nnx.to_flat_state(nnx.state(model, _KINDS))
  for path, variable in flat:
    yield "/".join(map(str, path)), variable.get_value()


def _fill(model: nnx.Module, values: Mapping[str, jax.Array]) -> None:
  state = nnx.state(model, _KINDS)
  for path, variable in nnx.to_flat_state(state):
    variable.set_value(values["/".join(map(str, path))])
  nnx.update(model, state)


def _config(folder: pathlib.Path) -> dict[str, Any]:
  path = folder / _CONFIG
  try:
    fields = json.loads(path.read_text(encoding="utf-8"))
  except (OSError, ValueError) as error:
    raise SpeedflowError(
      f"{path}: no configuration of a network ({wording.one_line(error)}); name"
      " the folder that has it beside the tensors"
    ) from error
  if not isinstance(fields, dict):
    raise SpeedflowError(
      f"{path}: not a JSON object; copy or download it again"
    )
  return fields


def _fields(
  config: config_lib.TransformerConfig, layout: Layout
) -> dict[str, Any]:
  if layout == "diffusers":
    return {
      "_class_name": "WanTransformer3DModel",
      "qk_norm": "rms_norm_across_heads",
      **dataclasses.asdict(config),
    }
  return {
    "_class_name": "WanModel",
    "model_type": "t2v" if config.image_dim is None else "i2v",
    "dim": config.width,
    "num_heads": config.num_attention_heads,
    "in_dim": config.in_channels,
    "out_dim": config.out_channels,
    "freq_dim": config.freq_dim,
    "ffn_dim": config.ffn_dim,
    "num_layers": config.num_layers,
    "eps": config.eps,
    "text_len": 512,
  }


def _without_prefix(
  shapes: Mapping[str, tuple[int, ...]], kind: _Network
) -> dict[str, tuple[str, tuple[int, ...]]]:
  """Names as the rules give them, with those of the file, and shapes.

  Recent versions of transformers write CLIP without its first part.
  """
  prefix = "vision_model."
  lacks = kind is _IMAGE and not any(name.startswith(prefix) for name in shapes)
  return {
    (prefix if lacks else "") + name: (name, shape)
    for name, shape in shapes.items()
  }


def _transformer(layout: Layout) -> _Network:
  rules: tuple[tuple[str, str], ...] = names.TRANSFORMER
  if layout == "wan":
    rules = names.TRANSFORMER_OWN
  return _Network(
    "Wan's transformer",
    transformer.Transformer,
    config_lib.TransformerConfig,
    rules,
    "blocks",
    lambda name: "norm_added_q" in name,
  )


def _autoencoder(residual: bool) -> _Network:
  return _Network(
    "Wan's video autoencoder",
    autoencoder.Autoencoder,
    config_lib.AutoencoderConfig,
    names.AUTOENCODER_RESIDUAL if residual else names.AUTOENCODER,
  )


_TRANSFORMERS: dict[Layout, _Network] = {
  "diffusers": _transformer("diffusers"),
  "wan": _transformer("wan"),
}
_TEXT = _Network(
  "UMT5's encoder",
  text_encoder.TextEncoder,
  config_lib.TextConfig,
  names.TEXT,
  "block",
  lambda name: name == "encoder.embed_tokens.weight",
)
_IMAGE = _Network(
  "CLIP's image encoder",
  image_encoder.ImageEncoder,
  config_lib.ImageConfig,
  names.IMAGE,
  "layers",
  lambda name: ".layers." in name or "post_layernorm" in name,
)
