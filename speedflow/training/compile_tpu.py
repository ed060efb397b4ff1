"""Compiles steps for TPUs that are not there, and says what they cost.

`make compile-tpu` runs this where the libtpu wheel is installed; no TPU is
needed, and no data. Each program is the very one that training would run.
"""

import argparse
import dataclasses
import json
import math
import os
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import jax
import ml_collections
import rich.console
import rich.table
from flax import nnx
from jax.experimental import topologies

from speedflow import errors
from speedflow.output import atomic
from speedflow.training import config as config_lib
from speedflow.training import experiment as experiment_lib
from speedflow.training import program_cost, sharding
from speedflow.training.step import TrainProgram

_TARGETS = ("v5e:2x2", "v5e:4x8", "v5e:16x16", "v5p:2x2x2", "v6e:4x4")
# Of a configuration, what is compiled; and of those that have other names.
_VARIANTS = ("base", "large")
_OTHERS = {"wan": ("1.3b", "5b", "14b")}


@dataclasses.dataclass(frozen=True)
class Chip:
  """What JAX takes for one device (Cloud TPU documentation, architecture).

  That is one chip, but half of one of TPU7x, which shares its links.

  Attributes:
    flops: bfloat16 operations per second.
    memory: bytes of high-bandwidth memory that programs have: of v5e's 16 GiB
      the compiler gives them 15.75, so of the others as large a share.
    memory_bandwidth: bytes per second.
    link_bandwidth: bytes per second that it can send to all its neighbours
      together: half of the documented bidirectional bandwidth.
  """

  flops: float
  memory: float
  memory_bandwidth: float
  link_bandwidth: float


_GIB = 2**30 * 63 / 64
_CHIPS = {
  "v5e": Chip(197e12, 16 * _GIB, 819e9, 200e9),
  "v5p": Chip(459e12, 95 * _GIB, 2765e9, 600e9),
  "v6e": Chip(918e12, 32 * _GIB, 1638e9, 400e9),
  "tpu7x": Chip(1153.5e12, 96 * _GIB, 3690e9, 300e9),
}


def compile_for(
  config: ml_collections.ConfigDict, target: str, step: str = "train"
) -> dict[str, Any]:
  """Compiles one step for one slice.

  A batch that the slice's devices do not divide is made larger.

  Args:
    config: of the experiment.
    target: such as "v5e:4x8".
    step: "train"; or "sample", for one sample over all devices, where the
      experiment says how (`experiment.Samples`).

  Returns:
    Per device: memory_bytes and whether it `fits`; flops of matrix products;
    hbm_bytes, by XLA's count, which takes buffers on the chip for memory and
    the body of a loop for one round; sent_bytes, and by kind `collectives`;
    the seconds that each takes at the chip's limits, and roofline_seconds,
    the longest of these: what a step takes if all overlaps perfectly.

  Raises:
    SpeedflowError: an unknown target, libtpu is not installed, or the
      experiment has no such step.
  """
  chip = _CHIPS.get(target.partition(":")[0])
  if chip is None:
    raise errors.SpeedflowError(
      f"{target}: unknown target; use one such as {', '.join(_TARGETS)}"
    )
  sampled = _require_samples(config) if step == "sample" else None
  devices = _devices(target)
  config = config.copy_and_resolve_references()
  traced, about = (
    _sample_step(sampled, devices) if sampled else _train_step(config, devices)
  )
  lowered = traced.lower()

  started = time.perf_counter()
  record: dict[str, Any] = {
    "target": target,
    "step": step,
    "chips": len({tuple(device.coords) for device in devices}),
    "devices": len(devices),
    **about,
  }
  try:
    compiled = lowered.compile()
  except jax.errors.JaxRuntimeError as error:
    # The TPU compiler refuses programs that do not fit into memory.
    if "RESOURCE_EXHAUSTED" not in str(error):
      raise
    return record | {"fits": False, "error": " ".join(str(error).split())[:400]}
  record["compile_seconds"] = round(time.perf_counter() - started, 1)

  memory = compiled.memory_analysis()
  used = (
    memory.argument_size_in_bytes
    + memory.output_size_in_bytes
    - memory.alias_size_in_bytes
    + memory.temp_size_in_bytes
    + memory.generated_code_size_in_bytes
  )
  flops = program_cost.flops(traced.jaxpr.jaxpr) / len(devices)
  hbm = compiled.cost_analysis()["bytes accessed"]
  traffic = program_cost.traffic(compiled.as_text())
  sent = sum(traffic.bytes.values())
  seconds = {
    "compute": flops / chip.flops,
    "memory": hbm / chip.memory_bandwidth,
    "network": sent / chip.link_bandwidth,
  }
  return record | {
    "fits": used <= chip.memory,
    "memory_bytes": used,
    "flops": flops,
    "hbm_bytes": hbm,
    "sent_bytes": sent,
    "collectives": dataclasses.asdict(traffic),
    "seconds": seconds,
    "roofline_seconds": max(seconds.values()),
  }


def _train_step(
  config: ml_collections.ConfigDict, devices: Sequence[jax.Device]
) -> tuple[jax.stages.Traced, dict[str, Any]]:
  mesh = sharding.make_mesh(config, devices)
  config.batch_size = _divisible_batch(config, sharding.batch_parts(mesh))
  program = TrainProgram(experiment_lib.load_experiment(config), config, mesh)
  return program.trace_step(), {
    "mesh": dict(mesh.shape),
    "batch_size": config.batch_size,
    "parameters": _count(program.abstract_state.params),
  }


def _sample_step(
  experiment: experiment_lib.Samples, devices: Sequence[jax.Device]
) -> tuple[jax.stages.Traced, dict[str, Any]]:
  model = nnx.eval_shape(lambda: experiment.init_model(nnx.Rngs(0)))
  return experiment.trace_sample(devices), {
    "batch_size": 1,
    "parameters": _count(nnx.state(model, nnx.Param)),
  }


def _require_samples(
  config: ml_collections.ConfigDict,
) -> experiment_lib.Samples:
  made = experiment_lib.load_experiment(config)
  if not isinstance(made, experiment_lib.Samples):
    raise errors.SpeedflowError(
      f"config.experiment: {config.experiment} has no step of a sampler; use "
      "--step=train, or a configuration of wan"
    )
  return made


def _count(tree: Any) -> int:
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def _devices(target: str) -> Sequence[jax.Device]:
  # libtpu looks for a real machine unless told what to believe.
  os.environ |= {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "TPU_WORKER_HOSTNAMES": "localhost",
  }
  try:
    description = topologies.get_topology_desc(
      platform="tpu", topology_name=target
    )
  except (RuntimeError, ValueError, NotImplementedError) as error:
    raise errors.SpeedflowError(
      f"{target}: {' '.join(str(error).split())}; install libtpu (`make "
      f"compile-tpu` does), and use targets such as {', '.join(_TARGETS)}"
    ) from error
  return description.devices


def _divisible_batch(config: ml_collections.ConfigDict, parts: int) -> int:
  """The smallest batch size, not below the config's, that splits evenly."""
  spec = experiment_lib.load_experiment(config).batch_spec()
  rows = jax.tree.leaves(spec)[0].shape[0]
  parts *= config.microbatches
  # A row may hold several examples, such as the speeds of one source.
  return -(-rows // parts) * parts * config.batch_size // rows


def _all_configs() -> list[str]:
  folder = pathlib.Path(config_lib.__file__).parents[2] / "configs"
  return [
    f"{path}:{variant}"
    for path in sorted(folder.glob("[!_]*.py"))
    for variant in _OTHERS.get(path.stem, _VARIANTS)
  ]


def _table(records: Sequence[dict[str, Any]]) -> rich.table.Table:
  table = rich.table.Table("config", "target", "batch")
  table.add_column("memory/device", justify="right")
  table.add_column("GFLOP/device", justify="right")
  table.add_column("sent/device", justify="right")
  table.add_column("roofline", justify="right")
  table.add_column("bound by")
  for record in records:
    cells = [record["config"], record["target"], str(record["batch_size"])]
    if "seconds" in record:
      seconds = record["seconds"]
      cells += [
        f"{record['memory_bytes'] / 1e9:.2f} GB",
        f"{record['flops'] / 1e9:.1f}",
        f"{record['sent_bytes'] / 1e6:.1f} MB",
        f"{record['roofline_seconds'] * 1e3:.2f} ms",
        max(seconds, key=seconds.get),
      ]
    if not record["fits"]:
      cells[3:4] = ["[red]too much[/red]"]
    table.add_row(*cells)
  return table


def main(argv: Sequence[str] | None = None) -> int:
  """Compiles every config for every target, and writes a JSON list.

  Returns:
    The exit code: 1 when some program does not fit into memory.
  """
  parser = argparse.ArgumentParser(
    description=__doc__,
    epilog="Any field of the configurations: --config.a.b=VALUE",
    allow_abbrev=False,
  )
  parser.add_argument(
    "configs",
    nargs="*",
    help="FILE.py:ARG; all files in configs/ at their large sizes if none",
  )
  parser.add_argument(
    "--target", default=",".join(_TARGETS), help="comma-separated slices"
  )
  parser.add_argument(
    "--step", choices=("train", "sample"), default="train", help="what of it"
  )
  parser.add_argument("--out", default="build/compile_tpu.json", help="JSON")
  arguments, overrides = parser.parse_known_args(argv)
  # The programs are for TPUs; what tracing itself computes is not.
  jax.config.update("jax_platforms", "cpu")

  console = rich.console.Console(highlight=False)
  # Files and continuous integration have no width of their own.
  console.width = max(console.width, 110)
  records = []
  for spec in arguments.configs or _all_configs():
    config = config_lib.load_config(spec, overrides)
    name = pathlib.Path(spec).name.replace(".py", "")
    for target in arguments.target.split(","):
      console.print(f"compiling {name} for {target}")
      records.append(
        {"config": name} | compile_for(config, target, arguments.step)
      )
  with atomic.atomic_path(arguments.out) as temporary:
    temporary.write_text(json.dumps(records, indent=2) + "\n")
  console.print(_table(records))
  console.print(f"written to {arguments.out}")
  return 0 if all(record["fits"] for record in records) else 1


if __name__ == "__main__":
  try:
    sys.exit(main())
  except errors.SpeedflowError as problem:
    print(f"compile_tpu: {problem}", file=sys.stderr)
    sys.exit(2)
