"""Writes many files of records by several processes, each file once."""

import multiprocessing
import pathlib
from collections.abc import Callable, Iterable, Mapping
from concurrent import futures

import cv2

from speedflow.data.records import RecordWriter, all_shards
from speedflow.errors import SpeedflowError
from speedflow.output import claims

Progress = Callable[[int, int], None]
"""Called with the number of files done, and of all files."""


def write_missing(
  shards: Mapping[pathlib.Path, Callable[[], Iterable[bytes]]],
  *,
  workers: int = 1,
  on_progress: Progress | None = None,
) -> int:
  """Writes the files that are not there; killed, it goes on where it was.

  The caller has claimed their folder.

  Args:
    shards: by file, what gives its records; called in a process of its own,
      so it can be pickled.
    workers: processes.
    on_progress: called at the start and after each file.

  Returns:
    The number of records written by this call.
  """
  report = on_progress or (lambda done, total: None)
  claims.clear(shards)
  missing = {path: make for path, make in shards.items() if not path.exists()}
  written, done = 0, len(shards) - len(missing)
  report(done, len(shards))
  if not missing:
    return 0
  # A fork would inherit the locks of OpenCV's and others' threads.
  spawn = multiprocessing.get_context("spawn")
  with futures.ProcessPoolExecutor(workers, mp_context=spawn) as pool:
    jobs = [pool.submit(_write, *item) for item in missing.items()]
    try:
      for job in futures.as_completed(jobs):
        written += job.result()
        done += 1
        report(done, len(shards))
    except BaseException:
      pool.shutdown(wait=False, cancel_futures=True)
      raise
  return written


def of_shots(
  records: pathlib.Path, out: pathlib.Path
) -> dict[pathlib.Path, pathlib.Path]:
  """The shards to make of records of shots, and what each is made of.

  Args:
    records: folder that `speedflow data build` wrote.
    out: folder of the shards; they keep their names.

  Raises:
    SpeedflowError: there are no records.
  """
  sources = {out / path.name: path for path in all_shards(records)}
  if not sources:
    raise SpeedflowError(
      f"{records}: no TFRecord files of shots in this folder; write them with "
      "`speedflow data build`"
    )
  return sources


def remove_stale(
  folder: pathlib.Path,
  sources: Mapping[pathlib.Path, pathlib.Path],
  *,
  all_stale: bool = False,
) -> None:
  """Removes shards of a claimed folder that were made of something else.

  Args:
    folder: of the shards.
    sources: by shard, the file that it is made of; one that is older than its
      file is removed, as are all others.
    all_stale: whether none is to be kept.
  """
  claims.clear(all_shards(folder))
  for path in all_shards(folder):
    source = sources.get(path)
    newer = source and path.stat().st_mtime_ns >= source.stat().st_mtime_ns
    if all_stale or not newer:
      claims.remove(path)


def _write(path: pathlib.Path, make: Callable[[], Iterable[bytes]]) -> int:
  cv2.setNumThreads(1)
  claims.join(path.parent)
  with RecordWriter(path) as writer:
    for record in make():
      writer.write(record)
  return writer.count
