"""Features on disk: a file for each file of records, made once.

A file appears whole or not at all, and names what it was made by. So a run that
is killed goes on where it was, and any number of hosts that see the same folder
may share the work, each taking every n-th file.
"""

import json
import pathlib
import zipfile
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from speedflow import wording
from speedflow.attribute.features import Features, Maker, Record
from speedflow.data.records import RecordSource
from speedflow.errors import SpeedflowError
from speedflow.output import atomic

# Records that are decoded at once.
_CHUNK = 64


class Table(NamedTuple):
  """Features of all records of some files, in their order.

  Attributes:
    ids: [n], of the records.
    features: of each.
  """

  ids: list[str]
  features: Features


class FeatureStore:
  """The features of some files of records."""

  def __init__(
    self,
    folder: pathlib.Path,
    shards: Sequence[pathlib.Path],
    made_by: dict[str, Any],
  ):
    """Looks at no file yet.

    Args:
      folder: of the features.
      shards: files of records, of what the features are made of.
      made_by: JSON that tells features that may not be mixed apart.
    """
    self._folder = folder
    self._shards = list(shards)
    self._made_by = made_by

  def path(self, shard: pathlib.Path) -> pathlib.Path:
    """Where the features of a file of records are."""
    return self._folder / f"{shard.name}.features.npz"

  def build(
    self,
    maker: Maker[Any],
    part: tuple[int, int] = (0, 1),
    on_progress: Callable[[float], None] = lambda done: None,
  ) -> int:
    """Makes the features that are missing.

    Args:
      maker: see there.
      part: (i, n): every n-th file, from number i on, is this process's.
      on_progress: called with the share that is done.

    Returns:
      The number of records whose features this call made.

    Raises:
      SpeedflowError: bad records, or features that others made of them.
    """
    first, every = part
    mine = self._shards[first::every]
    made = 0
    for number, shard in enumerate(mine):
      source = RecordSource(shard)
      if self.path(shard).exists():
        self._load(shard)
      else:
        parts, ids = [], []
        for start in range(0, len(source), _CHUNK):
          some = range(start, min(start + _CHUNK, len(source)))
          records = [
            _decode(maker, shard, index, source[index]) for index in some
          ]
          ids += [record.id for record in records]
          parts.append(_features(maker, shard, records))
          on_progress((number + some.stop / len(source)) / len(mine))
        self._save(shard, source.fingerprint(), ids, _join(parts))
        made += len(source)
      on_progress((number + 1) / len(mine))
    return made

  def missing(self) -> list[pathlib.Path]:
    """Files of records whose features are not there yet."""
    return [shard for shard in self._shards if not self.path(shard).exists()]

  def load(self) -> Table:
    """Reads all features; none may be missing.

    Raises:
      SpeedflowError: a damaged file, or one that others made.
    """
    tables = [self._load(shard) for shard in self._shards]
    return Table(
      [name for table in tables for name in table.ids],
      _join([table.features for table in tables]),
    )

  def _save(
    self,
    shard: pathlib.Path,
    fingerprint: str,
    ids: Sequence[str],
    features: Features,
  ) -> None:
    header = {"made_by": self._made_by, "records": fingerprint}
    arrays = features._asdict() | {
      # A fixed width of text would cost most of the file.
      "ids": np.frombuffer("\n".join(ids).encode(), np.uint8),
      "header": np.array(json.dumps(header, sort_keys=True)),
    }
    with (
      atomic.atomic_path(self.path(shard)) as temporary,
      temporary.open("wb") as file,
    ):
      np.savez(file, allow_pickle=False, **arrays)

  def _load(self, shard: pathlib.Path) -> Table:
    path = self.path(shard)
    try:
      with np.load(path, allow_pickle=False) as file:
        header = json.loads(str(file["header"]))
        ids = file["ids"].tobytes().decode().split("\n")
        features = Features(**{n: file[n] for n in Features._fields})
    except (
      *(OSError, ValueError, KeyError, EOFError),
      zipfile.BadZipFile,
    ) as error:
      raise SpeedflowError(
        f"{path}: damaged features ({wording.reason(error)}); delete the file "
        "and run again"
      ) from error
    wanted = {
      "made_by": self._made_by,
      "records": RecordSource(shard).fingerprint(),
    }
    if header != wanted:
      raise SpeedflowError(
        f"{path}: features of other weights, settings or records; give "
        "another folder, or delete this one"
      )
    return Table(ids, features)


def _decode(
  maker: Maker[Any], shard: pathlib.Path, index: int, record: bytes
) -> Record:
  try:
    return maker.decode(record)
  except SpeedflowError as error:
    raise SpeedflowError(f"{shard}: record {index}: {error}") from error


def _features(
  maker: Maker[Any], shard: pathlib.Path, records: Sequence[Record]
) -> Features:
  try:
    return maker.features(records)
  except SpeedflowError as error:
    raise SpeedflowError(f"{shard}: {error}") from error


def _join(parts: Sequence[Features]) -> Features:
  return Features(
    *(np.concatenate(arrays) for arrays in zip(*parts, strict=True))
  )
