import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AbstractMesh, AxisType, PartitionSpec

from speedflow import errors
from speedflow.training import sharding

MESH = AbstractMesh((2, 4), ("data", "fsdp"), axis_types=(AxisType.Auto,) * 2)
TREE = {
  "params": {
    "embed": jax.ShapeDtypeStruct((100, 64), jnp.float32),
    "head": {
      "kernel": jax.ShapeDtypeStruct((64, 64), jnp.float32),
      "bias": jax.ShapeDtypeStruct((64,), jnp.float32),
    },
    "odd": jax.ShapeDtypeStruct((63, 65), jnp.float32),
  },
  "step": jax.ShapeDtypeStruct((), jnp.int32),
}


def specs(*rules, min_size=128):
  inferred = sharding.infer_sharding(TREE, rules, MESH, min_size=min_size)
  return {
    sharding.path_name(path): leaf.spec
    for path, leaf in jax.tree_util.tree_flatten_with_path(inferred)[0]
  }


def test_fsdp_splits_the_largest_divisible_axis_of_large_arrays():
  assert specs((".*", "fsdp")) == {
    "params/embed": PartitionSpec("fsdp"),
    "params/head/kernel": PartitionSpec(None, "fsdp"),
    "params/head/bias": PartitionSpec(),
    "params/odd": PartitionSpec(),
    "step": PartitionSpec(),
  }


def test_the_first_rule_that_is_found_wins():
  assert specs(
    ("head/kernel$", ("fsdp", "data")),
    ("head", ("fsdp",)),
    ("params", "replicate"),
    (".*", "fsdp"),
  ) == {
    "params/embed": PartitionSpec(),
    "params/head/kernel": PartitionSpec("fsdp", "data"),
    "params/head/bias": PartitionSpec("fsdp"),
    "params/odd": PartitionSpec(),
    "step": PartitionSpec(),
  }


@pytest.mark.parametrize(
  ("rules", "message"),
  [
    ([("params", "fsdp")], r'no rule for step; end the list with \("\.\*"'),
    ([(".*", "split")], "rule 'split' does not suit params/embed"),
    ([(".*", ("", "", "fsdp"))], "does not suit params/embed"),
    ([("odd", ("fsdp",)), (".*", "fsdp")], "params/odd .* cannot be split"),
    ([("odd", ("model",)), (".*", "fsdp")], "cannot be split"),
  ],
)
def test_impossible_rules_are_named(rules, message):
  with pytest.raises(errors.SpeedflowError, match=message):
    specs(*rules)


def test_mesh_takes_all_devices(toy):
  mesh = sharding.make_mesh(toy(), jax.devices()[:1])
  assert dict(mesh.shape) == {"data": 1, "fsdp": 1, "context": 1}


def test_what_shares_tokens_shares_parameters_but_not_examples():
  mesh = AbstractMesh(
    (2, 2, 4), ("data", "fsdp", "context"), axis_types=(AxisType.Auto,) * 3
  )
  found = sharding.infer_sharding(TREE, [(".*", "fsdp")], mesh, min_size=128)
  kernel = found["params"]["head"]["kernel"].spec
  assert kernel == PartitionSpec(None, ("fsdp", "context"))
  assert sharding.batch_parts(mesh) == 4
  assert sharding.batch_sharding(mesh).spec[0] == ("data", "fsdp")


def test_mesh_that_does_not_fit_is_refused(toy):
  with pytest.raises(
    errors.SpeedflowError, match="context=1 does not fit 1 devices"
  ):
    sharding.make_mesh(toy("--config.mesh.fsdp=3"), jax.devices()[:1])
