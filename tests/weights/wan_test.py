"""Wan's weights from and into folders, and what is wrong with some."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec

from experiments.wan import stand_in
from speedflow.errors import SpeedflowError
from speedflow.models.wan.config import Computation
from speedflow.weights import tensor_folder, wan


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
  folder = tmp_path_factory.mktemp("wan")
  stand_in.write(folder)
  return folder


def _tensors(folder):
  found = {}
  for path in folder.glob("diffusion*.safetensors"):
    found |= safetensors.numpy.load_file(path)
  return found


def _equal(first, second):
  assert first.keys() == second.keys()
  for name, value in first.items():
    assert value.dtype == second[name].dtype
    np.testing.assert_array_equal(value, second[name])


@pytest.mark.parametrize("file_bytes", [2_000, 10**9])
def test_what_is_saved_is_what_was_loaded(pipeline, tmp_path, file_bytes):
  source = pipeline / "transformer"
  model = wan.load_transformer(source)
  wan.save_transformer(tmp_path, model, like=source, file_bytes=file_bytes)
  _equal(_tensors(source), _tensors(tmp_path))
  several = len(list(tmp_path.glob("*.safetensors"))) > 1
  assert several == (file_bytes < 10**6)
  assert json.loads((tmp_path / "config.json").read_text()) == json.loads(
    (source / "config.json").read_text()
  )


def test_half_precision_comes_back_to_the_bit(pipeline, tmp_path):
  source, back = tmp_path / "half", tmp_path / "back"
  half = {
    name: value.astype(jnp.bfloat16)
    for name, value in _tensors(pipeline / "transformer").items()
  }
  source.mkdir()
  config = (pipeline / "transformer" / "config.json").read_text()
  (source / "config.json").write_text(config)
  sizes = {name: value.nbytes for name, value in half.items()}
  tensor_folder.write(source, "diffusion", half.items(), sizes)
  computed = Computation(dtype=jnp.bfloat16, param_dtype=jnp.bfloat16)
  wan.save_transformer(
    back, wan.load_transformer(source, computed), like=source
  )
  _equal(half, _tensors(back))


def test_wans_own_layout_is_the_same_network(pipeline, tmp_path):
  # What Wan's own config.json leaves open is as in the large networks.
  fields = stand_in.TINY["transformer"] | {
    "text_dim": 4096,
    "image_dim": 1280,
  }
  stand_in.write(tmp_path / "pipeline", {"transformer": fields})
  model = wan.load_transformer(tmp_path / "pipeline" / "transformer")
  wan.save_transformer(tmp_path / "own", model, "wan")
  names = set(_tensors(tmp_path / "own"))
  assert {
    *("patch_embedding.weight", "head.modulation", "img_emb.proj.1.weight"),
    *("blocks.1.self_attn.q.weight", "blocks.0.cross_attn.k_img.bias"),
    *("blocks.0.norm3.weight", "blocks.0.modulation", "time_projection.1.bias"),
  } <= names
  again = wan.load_transformer(tmp_path / "own")
  jax.tree.map(
    np.testing.assert_array_equal,
    nnx.state(model, nnx.Param),
    nnx.state(again, nnx.Param),
  )


def test_each_device_gets_its_part(pipeline):
  devices = np.array(jax.devices())
  mesh = jax.sharding.Mesh(devices, ("fsdp",))

  def place(path, shape):
    axis = next(
      (n for n, size in enumerate(shape) if size % len(devices) == 0), None
    )
    spec = PartitionSpec(*[None] * (axis or 0), "fsdp")
    return NamedSharding(mesh, PartitionSpec() if axis is None else spec)

  spread = wan.load_transformer(pipeline / "transformer", place=place)
  whole = wan.load_transformer(pipeline / "transformer")
  kernel = spread.blocks.ffn.expand.kernel[...]
  assert kernel.sharding.spec == place("", kernel.shape).spec
  jax.tree.map(
    np.testing.assert_array_equal,
    nnx.state(whole, nnx.Param),
    nnx.state(spread, nnx.Param),
  )


def test_speed_is_kept_beside_the_tensors(pipeline, tmp_path):
  source = pipeline / "transformer"
  model = wan.load_transformer(source, Computation(speed="fourier"))
  model.speed.of_clip.kernel[...] += 1.0
  wan.save_transformer(tmp_path, model, like=source)
  _equal(_tensors(source), _tensors(tmp_path))
  assert wan.speed_of(source) == {}
  told = Computation(**wan.speed_of(tmp_path))
  again = wan.load_transformer(tmp_path, told)
  np.testing.assert_array_equal(
    again.speed.of_clip.kernel[...], model.speed.of_clip.kernel[...]
  )


def test_a_clock_is_added_to_what_has_learnt_speed(pipeline, tmp_path):
  source = pipeline / "transformer"
  model = wan.load_transformer(source, Computation(speed="fourier"))
  model.speed.of_frame.kernel[...] += 1.0
  wan.save_transformer(tmp_path / "speed", model, like=source)
  assert not wan.speed_of(tmp_path / "speed")["speed_clock"]
  told = Computation(speed="fourier", speed_clock=True)
  more = wan.load_transformer(tmp_path / "speed", told)
  speeds = np.array([[0.0, 1.0, -1.0]], np.float32)
  for found, wanted in zip(
    more.speed(speeds), model.speed(speeds), strict=True
  ):
    np.testing.assert_allclose(found, wanted, atol=1e-6)
  more.speed.of_passed.kernel[...] += 1.0
  wan.save_transformer(tmp_path / "clock", more, like=source)
  again = wan.load_transformer(
    tmp_path / "clock", Computation(**wan.speed_of(tmp_path / "clock"))
  )
  np.testing.assert_array_equal(
    again.speed.of_passed.kernel[...], more.speed.of_passed.kernel[...]
  )


def test_low_rank_matrices_are_multiplied_in(pipeline, tmp_path):
  source = pipeline / "transformer"
  model = wan.load_transformer(source, Computation(lora_rank=2))
  low = model.blocks.attn1.to_q.lora
  low.lora_b[...] = jnp.ones_like(low.lora_b[...])
  wan.save_transformer(tmp_path, model, like=source)
  before, after = _tensors(source), _tensors(tmp_path)
  name = "blocks.1.attn1.to_q.weight"
  added = np.asarray(low.lora_a[1] @ low.lora_b[1]).T
  np.testing.assert_allclose(after[name], before[name] + added, atol=1e-6)
  other = "blocks.1.ffn.net.2.weight"
  np.testing.assert_array_equal(after[other], before[other])


def _changed(pipeline, folder, change):
  tensors = _tensors(pipeline / "transformer")
  change(tensors)
  folder.mkdir()
  config = (pipeline / "transformer" / "config.json").read_text()
  (folder / "config.json").write_text(config)
  safetensors.numpy.save_file(tensors, folder / "diffusion.safetensors")
  return folder


@pytest.mark.parametrize(
  ("change", "said"),
  [
    (lambda t: t.pop("proj_out.bias"), "no tensor proj_out.bias"),
    (lambda t: t.update(more=np.zeros(2, np.float32)), "more is not a tensor"),
    (
      lambda t: t.update({"proj_out.bias": np.zeros(3, np.float32)}),
      r"proj_out.bias has the shape \(3,\)",
    ),
    (
      lambda t: t.update({"proj_out.bias": np.zeros(16, np.int8)}),
      "proj_out.bias is stored as I8",
    ),
  ],
  ids=["missing", "surplus", "misshapen", "quantised"],
)
def test_a_wrong_tensor_is_named(pipeline, tmp_path, change, said):
  folder = _changed(pipeline, tmp_path / "bad", change)
  with pytest.raises(SpeedflowError, match=said) as caught:
    wan.load_transformer(folder)
  assert str(folder) in str(caught.value)
  assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
  ("spoil", "said"),
  [
    (lambda f: (f / "config.json").unlink(), "no configuration of a network"),
    (lambda f: (f / "config.json").write_text("[1]"), "not a JSON object"),
    (
      lambda f: (f / "config.json").write_text('{"num_blocks": 3}'),
      "unknown field 'num_blocks'",
    ),
    (
      lambda f: next(f.glob("*.safetensors")).write_bytes(b"half a file"),
      "not a file of tensors",
    ),
    (lambda f: next(f.glob("*.safetensors")).unlink(), "no .safetensors in it"),
    (
      lambda f: (f / "model.safetensors.index.json").write_text(
        '{"weight_map": {"a": "../../a.safetensors"}}'
      ),
      "which is not a file beside it",
    ),
  ],
  ids=["config", "json", "other", "damaged", "none", "outside"],
)
def test_a_wrong_folder_is_one_line(pipeline, tmp_path, spoil, said):
  folder = _changed(pipeline, tmp_path / "bad", lambda tensors: None)
  spoil(folder)
  with pytest.raises(SpeedflowError, match=said) as caught:
    wan.load_transformer(folder)
  assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
  ("part", "size"),
  [
    ("transformer", {"num_attention_heads": 0}),
    ("transformer", {"num_attention_heads": "two"}),
    ("transformer", {"attention_head_dim": -12}),
    ("vae", {"dim_mult": [1]}),
    ("vae", {"z_dim": None}),
  ],
  ids=["none", "word", "negative", "short", "null"],
)
def test_sizes_that_make_no_network_are_one_line(
  pipeline, tmp_path, part, size
):
  fields = json.loads((pipeline / part / "config.json").read_text())
  (tmp_path / "config.json").write_text(json.dumps(fields | size))
  load = {
    "transformer": lambda: wan.transformer_bytes(tmp_path, Computation()),
    "vae": lambda: wan.load_autoencoder(tmp_path),
  }[part]
  with pytest.raises(SpeedflowError, match="its sizes do not make") as caught:
    load()
  assert str(tmp_path / "config.json") in str(caught.value)
  assert "\n" not in str(caught.value)


@pytest.mark.parametrize("heads", [None, 0, "x"])
def test_wans_own_sizes_are_checked(tmp_path, heads):
  fields = {"model_type": "t2v", "dim": 24, "num_heads": heads}
  (tmp_path / "config.json").write_text(json.dumps(fields))
  with pytest.raises(SpeedflowError, match="num_heads is"):
    wan.load_transformer(tmp_path)
