import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AbstractMesh, AxisType, PartitionSpec

from speedflow.models import splash
from speedflow.training import program_cost


def flops(function, *shapes):
  inputs = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
  return program_cost.flops(jax.jit(function).trace(*inputs).jaxpr.jaxpr)


def test_a_matrix_product_takes_two_operations_per_term():
  assert flops(jnp.matmul, (3, 5), (5, 7)) == 2 * 3 * 5 * 7


def test_batched_products_count_once_per_batch():
  assert (
    flops(lambda a, b: jnp.einsum("bij,bjk->bik", a, b), (4, 3, 5), (4, 5, 7))
    == 4 * 2 * 3 * 5 * 7
  )


def test_a_convolution_counts_its_taps():
  def convolve(images, kernel):
    return jax.lax.conv_general_dilated(
      images,
      kernel,
      (1, 1),
      "VALID",
      dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )

  assert flops(convolve, (2, 10, 12, 3), (3, 3, 3, 8)) == (
    2 * (2 * 8 * 10 * 8) * (3 * 3 * 3)
  )


def test_depthwise_convolutions_see_one_channel_each():
  def convolve(images, kernel):
    return jax.lax.conv_general_dilated(
      images,
      kernel,
      (1, 1),
      "SAME",
      dimension_numbers=("NHWC", "HWIO", "NHWC"),
      feature_group_count=16,
    )

  assert flops(convolve, (1, 8, 8, 16), (3, 3, 1, 16)) == (
    2 * (8 * 8 * 16) * (3 * 3)
  )


def test_gradients_cost_twice_the_forward_pass():
  def loss(weights, inputs):
    return jnp.sum(inputs @ weights)

  forward = flops(loss, (8, 8), (8, 8))
  both = flops(jax.grad(loss, argnums=(0, 1)), (8, 8), (8, 8))
  assert both == pytest.approx(3 * forward)


def test_loops_and_rematerialisation_count_every_run():
  @jax.checkpoint
  def layer(x, weights):
    return jnp.tanh(x @ weights), None

  def loss(x, stack):
    return jnp.sum(jax.lax.scan(layer, x, stack)[0])

  once = 2 * 8**3
  assert flops(loss, (8, 8), (5, 8, 8)) == 5 * once
  # Forward, forward again, and two products backward.
  assert flops(jax.grad(loss), (8, 8), (5, 8, 8)) == pytest.approx(5 * 3 * once)


HLO = """\
HloModule jit_step, entry_computation_layout={(f32[8]{0})->f32[8]{0}}

%add (x: f32[], y: f32[]) -> f32[] {
  ROOT %sum = f32[] add(%x, %y)
}

%condition.1 (state: (s32[], f32[64,64])) -> pred[] {
  %limit = s32[]{:T(128)} constant(3)
  ROOT %lt = pred[] compare(%i, %limit), direction=LT
}

%body.1 (state: (s32[], f32[64,64])) -> (s32[], f32[64,64]) {
  %ar = f32[64,64]{1,0:T(8,128)} all-reduce(%x), channel_id=1, \
replica_groups=[2,4]<=[8], to_apply=%add
}

%fused (p: bf16[16]) -> bf16[64] {
  %ag.1 = bf16[64]{0} all-gather(%p), channel_id=2, \
replica_groups={{0,1,2,3},{4,5,6,7}}, dimensions={0}
}

ENTRY %main.5_spmd (p: f32[8]) -> f32[8] {
  %loop = (s32[], f32[64,64]) while(%init), condition=%condition.1, \
body=%body.1
  %ag.start = bf16[64]{0} fusion(%p), kind=kCustom, calls=%fused
  %ag.2 = bf16[64]{0} all-gather(%p), channel_id=2, \
replica_groups={{0,1,2,3},{4,5,6,7}}, dimensions={0}
  %pair = (f32[8]{0}, s8[4]{0}) all-to-all(%a, %b), channel_id=3, \
replica_groups={{0,1}}
  %moved = f32[8]{0} collective-permute(%p), channel_id=4, \
source_target_pairs={{0,1},{1,0}}
}
"""


def test_collectives_are_counted_with_their_rings_and_loops():
  traffic = program_cost.traffic(HLO)
  assert traffic.operations == {
    "all-reduce": 3,
    "all-gather": 1,  # Its two parts share a channel.
    "reduce-scatter": 0,
    "all-to-all": 1,
    "collective-permute": 1,
  }
  assert traffic.bytes == {
    "all-reduce": 3 * (64 * 64 * 4) * 2 * 3 / 4,
    "all-gather": (64 * 2) * 3 / 4,
    "reduce-scatter": 0,
    "all-to-all": (8 * 4 + 4) / 2,
    "collective-permute": 8 * 4,
  }


def test_a_kernel_counts_all_of_its_tiles():
  heads, queries, keys, features = 3, 1024, 512, 128
  jaxpr = jax.make_jaxpr(splash.attention)(
    jnp.zeros((2, queries, heads, features)),
    *[jnp.zeros((2, keys, heads, features))] * 2,
  ).jaxpr
  products = 2 * (2 * 2 * heads * queries * keys * features)
  assert program_cost.flops(jaxpr) == products


def test_what_each_device_does_counts_once_per_device():
  mesh = AbstractMesh((4,), ("data",), axis_types=(AxisType.Auto,))
  shared = jax.shard_map(
    lambda x: x @ x.T,
    mesh=mesh,
    in_specs=PartitionSpec("data"),
    out_specs=PartitionSpec("data"),
  )
  jaxpr = jax.make_jaxpr(shared)(jnp.zeros((8, 5))).jaxpr
  assert program_cost.flops(jaxpr) == 4 * (2 * 2 * 2 * 5)
