"""Files of records: written atomically, read at random, checked by CRC.

The TFRecord framing is, for each record: its length (uint64), the masked
CRC-32C of the length, the bytes, the masked CRC-32C of the bytes; all
little-endian. Files with `.array_record` in the name are ArrayRecord files.

Grain's own TFRecord reader is sequential and checks no CRC. `RecordSource`
reads each file once to check it and to note where the records start; after
that any record costs one read. The notes are kept in a hidden file beside
the records, or in memory where the folder cannot be written to.
"""

import bisect
import contextlib
import glob
import hashlib
import io
import itertools
import logging
import operator
import os
import pathlib
import re
import struct
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, SupportsIndex

import google_crc32c
import numpy as np
from array_record.python import array_record_module as array_record

from speedflow import wording
from speedflow.errors import SpeedflowError
from speedflow.output import atomic, claims

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_REMEDY = "delete the file and build the data set again"

Path = str | os.PathLike[str]


def shard_path(
  folder: Path, name: str, split: str, shard: int, shards: int, suffix: str
) -> pathlib.Path:
  """Returns `folder/name-split.suffix-00000-of-00008`, as TFDS names it."""
  return pathlib.Path(folder) / (
    f"{name}-{split}.{suffix}-{shard:05d}-of-{shards:05d}"
  )


def shards(folder: pathlib.Path, name: str) -> list[pathlib.Path]:
  """Finds the files in a folder that are named like shards of a data set."""
  pattern = re.compile(
    rf"{re.escape(name)}-\w+\.(tfrecord|array_record)-\d{{5}}-of-\d{{5}}"
  )
  return sorted(p for p in folder.iterdir() if pattern.fullmatch(p.name))


def all_shards(folder: pathlib.Path) -> list[pathlib.Path]:
  """Finds the TFRecord files in a folder, of whatever data set."""
  # pathlib's patterns find hidden files, the indices, too.
  return sorted(
    path
    for path in folder.glob("*.tfrecord-*-of-*")
    if not path.name.startswith(".")
  )


def remove_shards(
  folder: pathlib.Path, name: str, keep: Iterable[str] = ()
) -> None:
  """Removes shards that earlier runs of ours wrote, and their indices.

  Args:
    folder: one that is claimed; see `speedflow.output.claims`.
    name: of the data set.
    keep: names of the shards that stay.
  """
  kept = set(keep)
  for path in shards(folder, name):
    if path.name not in kept and claims.remove(path):
      claims.remove(_index_path(path))


class RecordWriter:
  """Writes one file of records; it appears only when it is complete.

  The format is ArrayRecord where the file's name contains `.array_record`,
  else TFRecord. Used as a context manager.

  Attributes:
    count: number of records written so far.
  """

  def __init__(self, path: Path):
    self.count = 0
    self._path = path
    self._stack = contextlib.ExitStack()
    self._write: Any = None

  def __enter__(self) -> "RecordWriter":
    temporary = self._stack.enter_context(atomic.atomic_path(self._path))
    if _is_array_record(self._path):
      # Groups of one make random reads cheap; JPEG does not compress.
      writer = array_record.ArrayRecordWriter(
        str(temporary), "group_size:1,uncompressed"
      )
      self._stack.callback(writer.close)
      self._write = writer.write
    else:
      file = self._stack.enter_context(open(temporary, "wb"))
      self._write = lambda record: file.writelines(_frame(record))
    return self

  def __exit__(self, *error: Any) -> None:
    self._stack.__exit__(*error)

  def write(self, record: bytes) -> None:
    """Appends a record."""
    self._write(record)
    self.count += 1


def split_shards(
  folder: pathlib.Path,
  split: str,
  what: str = "records",
  remedy: str = "`make records` writes them",
) -> list[pathlib.Path]:
  """Finds the TFRecord shards of a split.

  Args:
    folder: where they are.
    split: `train`, `val` or `test`.
    what: kind of records, for the user, such as "motion records".
    remedy: what writes them, as a sentence of its own.

  Raises:
    SpeedflowError: there are none.
  """
  found = sorted(folder.glob(f"*-{split}.tfrecord-?????-of-?????"))
  if not found:
    raise SpeedflowError(
      f"{folder}: no {what} of the split {split!r}; {remedy}"
    )
  return found


def read_records(path: Path) -> Iterator[bytes]:
  """Yields a TFRecord file's records from its start, checking each CRC.

  Raises:
    SpeedflowError: where the file is damaged or cut short.
  """
  offset = 0
  with open(path, "rb") as file:
    for index in itertools.count():
      header = file.read(_HEADER.size)
      if not header:
        return
      length = _length(path, index, offset, header)
      record, footer = file.read(length), file.read(_FOOTER.size)
      _check(path, index, offset, record, footer)
      yield record
      offset += _HEADER.size + length + _FOOTER.size


class RecordSource(Sequence[bytes]):
  """Random access to the records of many files.

  May be pickled, forked and read from several threads.
  """

  def __init__(self, paths: Path | Iterable[Path]):
    """Finds the files, and checks those that were not checked before.

    Args:
      paths: files or glob patterns; the records follow the sorted order of
        the files' names.

    Raises:
      SpeedflowError: when a pattern matches nothing or a file is damaged.
    """
    if isinstance(paths, str | os.PathLike):
      paths = [paths]
    self._shards = [_open_shard(path) for path in _expand(paths)]
    self._ends = list(itertools.accumulate(len(s) for s in self._shards))

  def __len__(self) -> int:
    return self._ends[-1]

  def __getitem__(self, index: SupportsIndex) -> bytes:  # type: ignore[override]
    """Returns a record, its CRC checked.

    Raises:
      IndexError: when there is no such record.
      SpeedflowError: when the record is damaged.
    """
    position = operator.index(index)
    if position < 0:
      position += len(self)
    if not 0 <= position < len(self):
      raise IndexError(f"record {index} of {len(self)}")
    shard = bisect.bisect_right(self._ends, position)
    start = self._ends[shard - 1] if shard else 0
    return self._shards[shard].read(position - start)

  def __repr__(self) -> str:
    return f"RecordSource({len(self._shards)} files, {len(self)} records)"

  @property
  def paths(self) -> list[pathlib.Path]:
    """The files, in the order of their records."""
    return [shard.path for shard in self._shards]

  def fingerprint(self) -> str:
    """Returns a sha256 (hexadecimal) of the records' CRCs and their files.

    It does not depend on the folder that the files lie in.
    """
    digest = hashlib.sha256()
    for shard in self._shards:
      index = shard.index
      digest.update(f"{shard.path.name}:{index.size}:{index.crc}\n".encode())
    return digest.hexdigest()


def fingerprint(*parts: Sequence[Path]) -> str:
  """Returns a sha256 (hexadecimal) of the fingerprints of data sets.

  Args:
    *parts: files of each of them.

  Raises:
    SpeedflowError: as `RecordSource`.
  """
  digests = [RecordSource(files).fingerprint() for files in parts]
  return hashlib.sha256("".join(digests).encode()).hexdigest()


class _Index(NamedTuple):
  """What one complete reading of a file found.

  Attributes:
    size: of the file, in bytes.
    mtime_ns: when the file was last changed.
    crc: CRC-32C of the CRC-32Cs of the records.
    offsets: int64 [records + 1], where the records start, and the last ends.
  """

  size: int
  mtime_ns: int
  crc: int
  offsets: np.ndarray


class _TFRecordShard:
  """Random access to one TFRecord file."""

  def __init__(self, path: pathlib.Path, index: _Index):
    self.path = path
    self.index = index

  def __len__(self) -> int:
    return len(self.index.offsets) - 1

  def read(self, index: int) -> bytes:
    start, end = (int(i) for i in self.index.offsets[index : index + 2])
    length = end - start - _HEADER.size - _FOOTER.size
    # Opening anew takes microseconds, and any number of shards may be read by
    # any number of threads and forks.
    with _open_unchanged(self.path, self.index) as file:
      record = os.pread(file.fileno(), length, start + _HEADER.size)
      footer = os.pread(file.fileno(), _FOOTER.size, end - _FOOTER.size)
    _check(self.path, index, start, record, footer)
    return record


class _ArrayRecordShard:
  """Random access to one ArrayRecord file, which checks its own hashes."""

  def __init__(self, path: pathlib.Path, index: _Index):
    self.path = path
    self.index = index
    self._reader: Any = None

  def __len__(self) -> int:
    return len(self.index.offsets) - 1

  def __getstate__(self) -> dict[str, Any]:
    return {**self.__dict__, "_reader": None}

  def read(self, index: int) -> bytes:
    if self._reader is None:
      with _open_unchanged(self.path, self.index):
        self._reader = _array_reader(self.path)
    try:
      return self._reader.read([index])[0]
    except (RuntimeError, ValueError, IndexError) as error:
      raise SpeedflowError(
        f"{self.path}: record {index} is damaged ({error}); {_REMEDY}"
      ) from error


def _expand(paths: Iterable[Path]) -> list[pathlib.Path]:
  files: set[str] = set()
  for pattern in (os.fspath(path) for path in paths):
    # A name that exists is itself, even if it contains brackets.
    matches = [pattern] if os.path.isfile(pattern) else glob.glob(pattern)
    if not matches:
      raise SpeedflowError(
        f"{pattern}: no such record file; wanted TFRecord or ArrayRecord "
        "files as written by `speedflow data build`"
      )
    files.update(matches)
  # pathlib's patterns, unlike glob's, find the hidden indices too.
  return [
    path for path in map(pathlib.Path, sorted(files)) if not _is_index(path)
  ]


def _open_shard(path: pathlib.Path) -> _TFRecordShard | _ArrayRecordShard:
  is_array = _is_array_record(path)
  sidecar = _index_path(path)
  status = path.stat()
  index = _load_index(sidecar)
  if index is None or index[:2] != (status.st_size, status.st_mtime_ns):
    crc, offsets = _scan_array(path) if is_array else _scan_tfrecord(path)
    index = _Index(status.st_size, status.st_mtime_ns, crc, offsets)
    _save_index(sidecar, index)
  return (_ArrayRecordShard if is_array else _TFRecordShard)(path, index)


def _scan_tfrecord(path: pathlib.Path) -> tuple[int, np.ndarray]:
  offsets, crcs = [0], []
  for record in read_records(path):
    offsets.append(offsets[-1] + _HEADER.size + len(record) + _FOOTER.size)
    crcs.append(google_crc32c.value(record))
  return _crc_of_crcs(crcs), np.array(offsets, np.int64)


def _scan_array(path: pathlib.Path) -> tuple[int, np.ndarray]:
  reader = _array_reader(path)
  try:
    crcs = [
      google_crc32c.value(reader.read([i])[0])
      for i in range(reader.num_records())
    ]
  except (RuntimeError, ValueError, IndexError) as error:
    raise SpeedflowError(f"{path}: damaged ({error}); {_REMEDY}") from error
  return _crc_of_crcs(crcs), np.arange(len(crcs) + 1, dtype=np.int64)


def _crc_of_crcs(crcs: Sequence[int]) -> int:
  return google_crc32c.value(np.array(crcs, "<u4").tobytes())


def _load_index(sidecar: pathlib.Path) -> _Index | None:
  try:
    with np.load(sidecar, allow_pickle=False) as stored:
      return _Index(
        int(stored["size"]),
        int(stored["mtime_ns"]),
        int(stored["crc"]),
        stored["offsets"],
      )
  except FileNotFoundError:
    return None
  except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
    logging.warning(
      "%s is unreadable (%s); checking again",
      wording.shown(sidecar),
      wording.reason(error),
    )
    return None


def _save_index(sidecar: pathlib.Path, index: _Index) -> None:
  try:
    with atomic.atomic_path(sidecar) as temporary, open(temporary, "wb") as f:
      np.savez(f, **index._asdict())
  except SpeedflowError as error:
    # A read-only folder: the index lives in memory, and is made anew.
    logging.info("%s could not be kept: %s", sidecar, error)


def _array_reader(path: pathlib.Path) -> Any:
  reader = array_record.ArrayRecordReader(
    str(path), options="readahead_buffer_size:0", file_reader_buffer_size=32768
  )
  if not reader.ok():
    raise SpeedflowError(f"{path}: cut short; {_REMEDY}")
  return reader


@contextlib.contextmanager
def _open_unchanged(path: pathlib.Path, index: _Index) -> Iterator[io.FileIO]:
  with open(path, "rb", buffering=0) as file:
    status = os.fstat(file.fileno())
    if (status.st_size, status.st_mtime_ns) != index[:2]:
      raise SpeedflowError(
        f"{path}: changed since it was checked; start the program again"
      )
    yield file


def _index_path(path: pathlib.Path) -> pathlib.Path:
  return path.with_name(f".{path.name}.index")


def _is_index(path: pathlib.Path) -> bool:
  return path.name.startswith(".") and path.name.endswith(".index")


def _is_array_record(path: Path) -> bool:
  return ".array_record" in os.path.basename(path)


def _masked_crc(data: bytes) -> int:
  crc = google_crc32c.value(data)
  return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _frame(record: bytes) -> tuple[bytes, bytes, bytes]:
  length = struct.pack("<Q", len(record))
  return (
    length + _FOOTER.pack(_masked_crc(length)),
    record,
    _FOOTER.pack(_masked_crc(record)),
  )


def _length(path: Path, index: int, offset: int, header: bytes) -> int:
  if len(header) == _HEADER.size:
    length, crc = _HEADER.unpack(header)
    if crc == _masked_crc(header[:8]):
      return length
  raise _damaged(path, index, offset, "its length is unreadable")


def _check(
  path: Path, index: int, offset: int, record: bytes, footer: bytes
) -> None:
  if len(footer) < _FOOTER.size:
    raise _damaged(path, index, offset, "the file ends inside it")
  wanted, found = _FOOTER.unpack(footer)[0], _masked_crc(record)
  if wanted != found:
    cause = f"CRC-32C {found:#010x}, wanted {wanted:#010x}"
    raise _damaged(path, index, offset, cause)


def _damaged(path: Path, index: int, offset: int, cause: str) -> SpeedflowError:
  return SpeedflowError(
    f"{os.fspath(path)}: record {index} at byte {offset} is damaged "
    f"({cause}); {_REMEDY}"
  )
