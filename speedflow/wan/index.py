"""The index of a pipeline: how it was trained, and how it is sampled.

diffusers keeps it as `model_index.json`. Wan2.2's pipelines say two things in
it: that the first frame is known by its time, which is 0 (TI2V), and that one
transformer makes the noisy steps and another the rest (A14B).
"""

import dataclasses
import json
import math
import pathlib
from typing import Any

from speedflow import wording
from speedflow.errors import SpeedflowError
from speedflow.output.atomic import atomic_path

_INDEX = "model_index.json"
_SCHEDULER = pathlib.Path("scheduler", "scheduler_config.json")
# The field of the index in which speedflow writes what it trained for.
_TRAINED = "_speedflow"


@dataclasses.dataclass(frozen=True)
class Trained:
  """What a transformer was trained for; Wan at 480p, where nobody says.

  Attributes:
    height: pixels.
    width: pixels.
    frames: of a clip.
    shift: of the sampler's times; Wan's is 3 at 480p, and 5 at 720p.
    words: tokens of a text; those beyond its end are 0, and seen, too.
  """

  height: int = 480
  width: int = 832
  frames: int = 81
  shift: float = 3.0
  words: int = 512


_TI2V = Trained(height=704, width=1_280, frames=121, shift=5.0)


@dataclasses.dataclass(frozen=True)
class Index:
  """What is said of a pipeline.

  Attributes:
    trained: what for.
    first_by_time: whether the first frame is known by its time, 0, in place of
      a mask and latents beside.
    boundary: share of noise below which `transformer_2` goes on; None: there
      is one transformer.
  """

  trained: Trained
  first_by_time: bool = False
  boundary: float | None = None


def write(
  folder: pathlib.Path, trained: Trained, boundary: float | None = None
) -> None:
  """Writes the index of a pipeline whose transformer speedflow trained.

  Args:
    folder: of the pipeline.
    trained: what for.
    boundary: see `Index`.
  """
  said: dict[str, Any] = {
    "_class_name": "WanImageToVideoPipeline",
    _TRAINED: dataclasses.asdict(trained),
  }
  if boundary is not None:
    said["boundary_ratio"] = boundary
  with atomic_path(folder / _INDEX) as temporary:
    temporary.write_text(f"{json.dumps(said, indent=2)}\n", encoding="utf-8")


def read(folder: pathlib.Path) -> Index:
  """Reads the index of a pipeline.

  Raises:
    SpeedflowError: there is none, it is another pipeline's, or what it says
      cannot be.
  """
  path = folder / _INDEX
  try:
    said = json.loads(path.read_text(encoding="utf-8"))
    kind = said["_class_name"]
    by_time = said.get("expand_timesteps") or False
    if not isinstance(by_time, bool):
      raise ValueError(f"expand_timesteps is {by_time!r}")
    boundary = said.get("boundary_ratio")
    if boundary is not None and not _within(boundary, 1):
      raise ValueError(f"boundary_ratio is {boundary!r}")
    trained = _trained(said, by_time)
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise SpeedflowError(
      f"{path}: not the index of a pipeline ({wording.one_line(error)}); wanted"
      " a folder of Wan as diffusers keeps it"
    ) from error
  if not str(kind).startswith("Wan"):
    raise SpeedflowError(
      f"{path}: a {kind}; wanted a pipeline of Wan, such as"
      " Wan2.1-I2V-14B-480P-Diffusers"
    )
  if _TRAINED not in said:
    trained = dataclasses.replace(trained, shift=_shift(folder, trained.shift))
  return Index(trained, by_time, boundary)


def _trained(said: dict[str, Any], by_time: bool) -> Trained:
  if _TRAINED not in said:
    return _TI2V if by_time else Trained()
  trained = Trained(**said[_TRAINED])
  for name, value in dataclasses.asdict(trained).items():
    if not (_within(value, math.inf) and (name == "shift" or _whole(value))):
      raise ValueError(f"{name} is {value!r}")
  return trained


def _shift(folder: pathlib.Path, usual: float) -> float:
  """What the published scheduler shifts times by."""
  path = folder / _SCHEDULER
  if not path.exists():
    return usual
  try:
    shift = json.loads(path.read_text(encoding="utf-8")).get(
      "flow_shift", usual
    )
    if not _within(shift, math.inf):
      raise ValueError(f"flow_shift is {shift!r}")
  except (OSError, ValueError, AttributeError) as error:
    raise SpeedflowError(
      f"{path}: not a scheduler's ({wording.one_line(error)}); take the "
      "scheduler of the pipeline"
    ) from error
  return float(shift)


def _whole(value: Any) -> bool:
  return isinstance(value, int)


def _within(value: Any, most: float) -> bool:
  """Whether it is a number above 0 and below another."""
  number = isinstance(value, int | float) and not isinstance(value, bool)
  return number and 0 < value < most
