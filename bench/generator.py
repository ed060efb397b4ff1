"""What the generator costs to train and to use, beside a U-Net in PyTorch.

    python -m bench.generator --out FILE.json [--torch-python PYTHON]

Times the training step of configs/speed_generator.py:tiny for one clip, and for
a batch, and the making of a clip, on one core. With --torch-python, the
interpreter of an environment that has PyTorch (see bench/generator_torch.py), a
video-diffusion U-Net with as many parameters is timed in the same run. They do
not do the same: the U-Net makes pixels, ours says where the pixels of a picture
go. So it is the price of a clip that is compared, not of equal clips.
"""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from flax import nnx

from experiments.speed_generator import dataset
from experiments.speed_generator.experiment import Experiment
from speedflow.errors import SpeedflowError
from speedflow.generate import generator as inference
from speedflow.output import atomic
from speedflow.training import config as config_lib
from speedflow.training import experiment as experiment_lib
from speedflow.training import sharding, step

_OTHER = pathlib.Path(__file__).with_name("generator_torch.py")
_STEPS = 10


def seconds(run: Callable[[], Any], repeats: int) -> float:
  """CPU seconds of one run: the least, for others share the machine."""
  run()
  spent = []
  for _ in range(repeats):
    started = time.process_time()
    run()
    spent.append(time.process_time() - started)
  return round(min(spent), 4)


def training_step(
  spec: str, batch_size: int, repeats: int
) -> tuple[float, int]:
  """CPU seconds of a training step, and the number of parameters."""
  config = config_lib.load_config(spec, [f"--config.batch_size={batch_size}"])
  experiment = experiment_lib.load_experiment(config)
  mesh = sharding.make_mesh(config, jax.devices()[:1])
  program = step.TrainProgram(experiment, config, mesh)
  worlds = [dataset.World("mover", number) for number in range(batch_size)]
  clips = dataset.held_out(worlds, dataset.clip_spec(config.data), seed=0)
  batch = sharding.global_batch(clips, program.abstract_batch)
  compiled = program.trace_step().lower().compile()
  state = program.init()
  count = sum(leaf.size for leaf in jax.tree.leaves(state.params))

  def run() -> None:
    nonlocal state
    state, metrics = compiled(state, batch)
    jax.block_until_ready(metrics)

  return seconds(run, repeats), count


def making(spec: str, repeats: int) -> dict[str, float]:
  """CPU seconds of one step of the sampler, and of a whole clip."""
  config = config_lib.load_config(spec)
  experiment = Experiment(config)
  facts = inference.Facts(config.data.knots, config.data.low, config.data.high)
  maker = inference.SpeedGenerator(experiment.init_model(nnx.Rngs(0)), facts)
  image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
  log2_step = np.zeros((1, facts.knots))

  def trajectories(steps: int) -> float:
    return seconds(
      lambda: maker.trajectories(image[None], log2_step, [0], steps=steps),
      repeats,
    )

  return {
    "denoise_s": round(
      (trajectories(2 * _STEPS) - trajectories(_STEPS)) / _STEPS, 4
    ),
    "clip_s": seconds(
      lambda: maker.generate(image, steps=_STEPS, size=64), repeats
    ),
  }


def beside(python: pathlib.Path, parameters: int, repeats: int) -> Any:
  """What bench/generator_torch.py measures.

  Raises:
    SpeedflowError: it fails.
  """
  command = [
    str(python),
    str(_OTHER),
    f"--parameters={parameters}",
    f"--repeats={repeats}",
  ]
  try:
    run = subprocess.run(command, capture_output=True, text=True, check=True)
  except (OSError, subprocess.CalledProcessError) as error:
    lines = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
    raise SpeedflowError(
      f"{python}: {lines[-1]}; give a Python that has torch and "
      "video-diffusion-pytorch"
    ) from error
  return json.loads(run.stdout)


def main(arguments: Sequence[str] | None = None) -> None:
  """Measures, prints a table and writes JSON."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--out", required=True, help="JSON file to write")
  parser.add_argument("--config", default="configs/speed_generator.py:tiny")
  parser.add_argument("--torch-python", type=pathlib.Path, metavar="PYTHON")
  parser.add_argument("--batch-size", type=int, default=16)
  parser.add_argument("--repeats", type=int, default=4)
  options = parser.parse_args(arguments)
  os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
  one, parameters = training_step(options.config, 1, options.repeats)
  batch, _ = training_step(options.config, options.batch_size, options.repeats)
  result: dict[str, Any] = {
    "speedflow": {
      "parameters": parameters,
      "config": options.config,
      "jax": jax.__version__,
      "train_s": one,
      "batch_size": options.batch_size,
      "train_batch_s": batch,
      "train_clips_per_s": round(options.batch_size / batch, 1),
      "steps": _STEPS,
      **making(options.config, options.repeats),
    },
    "cores": len(os.sched_getaffinity(0)),
    "processor": platform.processor() or platform.machine(),
  }
  if options.torch_python:
    try:
      other = beside(options.torch_python, parameters, options.repeats)
    except SpeedflowError as error:
      parser.error(str(error))
    result["unet"] = other
  # After the work: what else went on meanwhile.
  result["load_average"] = os.getloadavg()[0]
  for name in ("speedflow", "unet"):
    if name in result:
      row = result[name]
      print(
        f"{name}: {row['parameters'] / 1e6:.2f} M parameters, training "
        f"{1e3 * row['train_s']:.0f} ms a clip, sampling "
        f"{1e3 * row['denoise_s']:.0f} ms a step"
      )
  with atomic.atomic_path(options.out) as temporary:
    temporary.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
  main()
