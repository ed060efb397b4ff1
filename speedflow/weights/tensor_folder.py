"""Folders of safetensors as others publish them: many tensors in some files.

Large models are split over files that an index lists
(`*.safetensors.index.json`). Tensors are read slice by slice, so that nobody
needs the memory for the whole.
"""

import contextlib
import json
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import ml_dtypes
import numpy as np
import safetensors
import safetensors.numpy

from speedflow import inputs, wording
from speedflow.errors import SpeedflowError
from speedflow.output.atomic import atomic_path

INDEX_SUFFIX = ".safetensors.index.json"
"""How the name of an index ends."""

_DTYPES = {"F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16}
# Bytes of a file that is written, at most, unless one tensor is larger.
_FILE_BYTES = 5_000_000_000


class TensorFolder:
  """The tensors of a folder. It is a context manager, which closes the files.

  Attributes:
    shapes: of each tensor, by name.
    dtypes: the same.
  """

  def __init__(self, folder: pathlib.Path, *, without: str = ""):
    """Opens it, and reads no more than the files' headers.

    Args:
      folder: of the files.
      without: name of a file in it that is something else.

    Raises:
      SpeedflowError: it is no such folder, or a file of it is missing or
        damaged.
    """
    self._folder = folder
    self.shapes: dict[str, tuple[int, ...]] = {}
    self.dtypes: dict[str, np.dtype] = {}
    self._files: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
      for path in _files(folder, without):
        try:
          inputs.require_file(path, "file of weights")
          file = stack.enter_context(
            safetensors.safe_open(path, framework="numpy")
          )
        except safetensors.SafetensorError as error:
          raise SpeedflowError(
            f"{path}: not a file of tensors ({wording.one_line(error)}); copy "
            "or download it again"
          ) from error
        for name in file.keys():  # noqa: SIM118
          part = file.get_slice(name)
          self.shapes[name] = tuple(part.get_shape())
          self.dtypes[name] = _dtype(path, name, part.get_dtype())
          self._files[name] = file
      self._open = stack.pop_all()

  def __enter__(self) -> "TensorFolder":
    return self

  def __exit__(self, *unused_exception: object) -> None:
    self._open.close()

  def read(self, name: str, index: tuple[slice, ...]) -> np.ndarray:
    """Reads a part of a tensor.

    Args:
      name: of it.
      index: a slice without steps along each axis.
    """
    part = self._files[name].get_slice(name)
    return part[index] if index else self._files[name].get_tensor(name)


def _dtype(path: pathlib.Path, name: str, said: str) -> np.dtype:
  """The type of numbers that a file names, such as "BF16"."""
  if said not in _DTYPES:
    raise SpeedflowError(
      f"{path}: {name} is stored as {said}; wanted "
      f"{', '.join(_DTYPES)}: take the network in one of these"
    )
  return np.dtype(_DTYPES[said])


def _files(folder: pathlib.Path, without: str) -> list[pathlib.Path]:
  if not folder.is_dir():
    raise SpeedflowError(
      f"{folder}: no such folder; name one with the weights of a network"
    )
  indices = sorted(folder.glob(f"*{INDEX_SUFFIX}"))
  if not indices:
    found = sorted(folder.glob("*.safetensors"))
    found = [path for path in found if path.name != without]
    if not found:
      raise SpeedflowError(
        f"{folder}: no .safetensors in it; name the folder of a network, "
        "converted to safetensors"
      )
    return found
  try:
    listed = json.loads(indices[0].read_text(encoding="utf-8"))["weight_map"]
    names = sorted(set(listed.values()))
  except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
    raise SpeedflowError(
      f"{indices[0]}: not an index of files of tensors "
      f"({wording.one_line(error)}); copy or download it again"
    ) from error
  if unsafe := [name for name in names if pathlib.PurePath(name).name != name]:
    raise SpeedflowError(
      f"{indices[0]}: lists {unsafe[0]!r}, which is not a file beside it"
    )
  return [folder / name for name in names]


def write(
  folder: pathlib.Path,
  stem: str,
  tensors: Iterable[tuple[str, np.ndarray]],
  sizes: Mapping[str, int],
  *,
  file_bytes: int = _FILE_BYTES,
) -> list[pathlib.Path]:
  """Writes tensors into files, and an index if these are several.

  Args:
    folder: exists.
    stem: of the files' names, such as "diffusion_pytorch_model".
    tensors: names and values, one after the other; no more than a file's are
      held at a time.
    sizes: bytes of each, by name, in the same order.
    file_bytes: of a file at most, unless one tensor is larger.

  Returns:
    The files, the index last.
  """
  groups = list(_grouped(sizes, file_bytes))
  paths = []
  where: dict[str, str] = {}
  values = iter(tensors)
  for number, group in enumerate(groups, 1):
    name = f"{stem}.safetensors"
    if len(groups) > 1:
      name = f"{stem}-{number:05}-of-{len(groups):05}.safetensors"
    held = {}
    for wanted, (found, value) in zip(group, values, strict=False):
      assert wanted == found
      held[found] = np.asarray(value, order="C")
    with atomic_path(folder / name) as temporary:
      safetensors.numpy.save_file(held, temporary, {"format": "pt"})
    where |= dict.fromkeys(group, name)
    paths.append(folder / name)
  if len(groups) > 1:
    index = folder / f"{stem}{INDEX_SUFFIX}"
    with atomic_path(index) as temporary:
      whole = {"total_size": sum(sizes.values())}
      text = json.dumps({"metadata": whole, "weight_map": where}, indent=2)
      temporary.write_text(f"{text}\n", encoding="utf-8")
    paths.append(index)
  return paths


def _grouped(sizes: Mapping[str, int], most: int) -> Iterator[list[str]]:
  group: list[str] = []
  held = 0
  for name, size in sizes.items():
    if group and held + size > most:
      yield group
      group, held = [], 0
    group.append(name)
    held += size
  yield group
