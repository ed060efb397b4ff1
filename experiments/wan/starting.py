"""What a run of Wan starts from, and whether it belongs together.

It is asked before training: days later, an export would fail, or make what
nobody trained.
"""

import pathlib
from typing import get_args

import ml_collections
import numpy as np

from experiments.wan import dataset
from speedflow.errors import SpeedflowError
from speedflow.models.wan import config as config_lib
from speedflow.models.wan import transformer
from speedflow.wan import examples, index, latents, pipeline

TRANSFORMERS = (pipeline.PARTS[0], pipeline.SECOND)
"""Folders of a pipeline's transformers, of the noisier steps first."""

_REMATS = ("none", "dots", "full")


def check(config: ml_collections.ConfigDict) -> None:
  """Raises SpeedflowError if a setting cannot be; opens nothing."""
  adapter = config.adapter
  if adapter.rank < 0:
    raise SpeedflowError(
      f"config.adapter.rank is {adapter.rank}; wanted 0 (none) or more"
    )
  unknown = sorted(set(adapter.targets) - set(transformer.PROJECTIONS))
  if adapter.rank and (unknown or not adapter.targets):
    raise SpeedflowError(
      f"config.adapter.targets names {unknown[0] if unknown else 'no target'};"
      f" wanted some of {', '.join(transformer.PROJECTIONS)}"
    )
  for name, value, known in (
    ("speed.speed", config.speed.speed, get_args(config_lib.Speed)),
    ("remat", config.remat, _REMATS),
    ("part", config.part, TRANSFORMERS),
  ):
    if value not in known:
      raise SpeedflowError(
        f"config.{name} is {value!r}; wanted one of {', '.join(known)}"
      )
  _check_context(config)


def _check_context(config: ml_collections.ConfigDict) -> None:
  """Tokens are split evenly over the mesh axis `context`."""
  frames, height, width, _ = dataset.sizes_of(config).latents
  patch = config_lib.TransformerConfig.patch_size
  tokens = frames * (height // patch[1]) * (width // patch[2])
  devices = config.mesh.context
  if devices > 1 and tokens % devices:
    raise SpeedflowError(
      f"config.mesh.context is {devices}, which does not divide the {tokens} "
      "tokens of a clip; take a divisor, or 1"
    )


def parts(config: ml_collections.ConfigDict) -> pathlib.Path:
  """The pipeline whose parts are exported beside the transformer.

  Raises:
    SpeedflowError: the configuration names none.
  """
  named = config.pipeline or config.start_from
  if not named:
    raise SpeedflowError(
      "config.pipeline is empty; name the folder of Wan whose encoders made "
      f"{config.data.records}"
    )
  return pathlib.Path(named)


def boundary(config: ml_collections.ConfigDict) -> float | None:
  """The share of noise at which one transformer hands over to the other.

  Returns:
    None where there is one alone.

  Raises:
    SpeedflowError: the configuration names one that is not there.
  """
  start = config.start_from
  found = index.read(pathlib.Path(start)).boundary if start else None
  if found is None and config.part != TRANSFORMERS[0]:
    has = start or "what starts from nothing"
    raise SpeedflowError(
      f"config.part is {config.part!r}, but {has} has one transformer; leave "
      "it out"
    )
  return found


def times(config: ml_collections.ConfigDict) -> tuple[float, float]:
  """Shares of noise that the trained transformer is for: from, to.

  Raises:
    SpeedflowError: see `boundary`.
  """
  found = boundary(config)
  if found is None:
    return 0.0, 1.0
  return (found, 1.0) if config.part == TRANSFORMERS[0] else (0.0, found)


def require(config: ml_collections.ConfigDict) -> None:
  """Looks at the folders that the configuration names.

  Raises:
    SpeedflowError: one is missing, or they do not belong together.
  """
  if config.adapter.rank and not config.start_from:
    raise SpeedflowError(
      f"config.adapter.rank is {config.adapter.rank}, but config.start_from "
      "names no weights that low-rank matrices could stand beside; name the "
      "folder of Wan"
    )
  folder = parts(config)
  for part in ("vae", "text_encoder", "tokenizer"):
    pipeline.require_part(folder, part)
  if config.model.image_dim:
    pipeline.require_part(folder, "image_encoder")
  records = pathlib.Path(config.data.records)
  examples.require_autoencoder(records, folder)
  try:
    sampler = dataset.ClipSampler(
      dataset.sizes_of(config), latents.load_nothing(records)
    )
    source = dataset.source(config.data, "train")
    if len(source):
      sampler(source[0], np.random.default_rng(0))
  except SpeedflowError as error:
    if str(records) in str(error):
      raise
    raise SpeedflowError(f"{records}: {error}") from error
