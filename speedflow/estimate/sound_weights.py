"""Trained weights of sound speed networks."""

import dataclasses
import pathlib
from typing import Any

from flax import nnx

from speedflow.models import sound_net
from speedflow.weights import parameter_file


def save(
  path: pathlib.Path,
  model: nnx.Module,
  config: sound_net.SoundNetConfig,
  extra: dict[str, Any] | None = None,
) -> None:
  """Writes the parameters of a network, as float16, and its configuration.

  Args:
    path: a .npz file.
    model: a `SoundNet`.
    config: what it was built with.
    extra: what else belongs to it, such as its calibration; as JSON.
  """
  fields = dataclasses.asdict(config)
  # How it was trained does not matter for using it.
  for name in ("dtype", "dropout"):
    del fields[name]
  parameter_file.write(path, model, {"model": fields, "extra": extra or {}})


def load(path: pathlib.Path) -> tuple[sound_net.SoundNet, dict[str, Any]]:
  """Rebuilds a network.

  Args:
    path: a file that `save` wrote.

  Returns:
    The network, in float32 and evaluation mode, and the extra information.

  Raises:
    SpeedflowError: no such file, or it holds something else.
  """
  model, header = parameter_file.read(path, _build, "a sound speed network")
  return model, header["extra"]


def _build(header: dict[str, Any]) -> sound_net.SoundNet:
  config = sound_net.SoundNetConfig(**header["model"], dropout=0.0)
  return sound_net.SoundNet(config, nnx.Rngs(0))
