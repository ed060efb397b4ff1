"""Files of weights: arrays, and what belongs to them as JSON.

The format is safetensors (https://huggingface.co/docs/safetensors); the JSON is
the one entry of its metadata, since it writes several in a random order. It
has no checksum of its own: the JSON holds one.
"""

import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from speedflow import inputs, wording
from speedflow.errors import SpeedflowError
from speedflow.output.atomic import atomic_path
from speedflow.output.marks import NAME

SUFFIX = ".safetensors"
"""How names of files of weights end."""

FORMER_SUFFIX = ".npz"
"""How they ended once; such files are refused with the remedy."""

_REMEDY = "write them with `speedflow eval --export`"


def write(
  path: pathlib.Path, arrays: Mapping[str, np.ndarray], header: dict[str, Any]
) -> None:
  """Writes arrays and their header.

  Args:
    path: a .safetensors file.
    arrays: by name.
    header: becomes JSON.

  Raises:
    SpeedflowError: the name ends otherwise.
  """
  if path.suffix != SUFFIX:
    raise SpeedflowError(
      f"{path}: weights are written as {SUFFIX}; end the name so"
    )
  # The library writes an array of another layout in the wrong order.
  arrays = {name: np.asarray(a, order="C") for name, a in arrays.items()}
  text = json.dumps(
    {"sha256": _digest(arrays, header), "header": header}, sort_keys=True
  )
  with atomic_path(path) as temporary:
    safetensors.numpy.save_file(dict(arrays), temporary, {NAME: text})


def read(
  path: pathlib.Path, what: str
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
  """Reads what `write` wrote.

  Args:
    path: of the file.
    what: it should hold weights of, for the user: such as "a generator".

  Returns:
    The arrays by name, and the header.

  Raises:
    FileNotFoundError: there is no such file.
    SpeedflowError: it holds something else, or is damaged.
  """
  if path.exists():
    inputs.require_file(path, "file of weights")
    if path.suffix == FORMER_SUFFIX:
      raise SpeedflowError(
        f"{path}: weights in the format of an earlier version; export them "
        f"again as {SUFFIX}, with `speedflow eval --export`"
      )
  try:
    with safetensors.safe_open(path, framework="numpy") as file:
      metadata = file.metadata() or {}
      arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
  except safetensors.SafetensorError as error:
    raise _other(path, what, wording.one_line(error)) from error
  if NAME not in metadata:
    raise _other(path, what, "no header of speedflow in it")
  try:
    stored = json.loads(metadata[NAME])
    header, digest = stored["header"], stored["sha256"]
  except (ValueError, KeyError, TypeError) as error:
    raise _other(path, what, wording.one_line(error)) from error
  if digest != _digest(arrays, header):
    raise _other(path, what, "damaged: its checksum differs")
  return arrays, header


def _other(path: pathlib.Path, what: str, reason: str) -> SpeedflowError:
  return SpeedflowError(f"{path}: not weights of {what} ({reason}); {_REMEDY}")


def _digest(arrays: Mapping[str, np.ndarray], header: dict[str, Any]) -> str:
  """sha256 of the header, and of the names, types and values of arrays."""
  digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
  for name, array in sorted(arrays.items()):
    digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
    digest.update(array.tobytes())
  return digest.hexdigest()
