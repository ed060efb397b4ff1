"""From videos to sharded records, on any Beam runner, resumable.

Each clip becomes one part, `OUT/parts/<key>.tfrecord`, and beside it a JSON
summary whose presence says that the part is complete. The key is a hash of
the file's size and time, of what is known about the clip and of the settings;
so a second run does only what is missing. When all parts are there, their
records are dealt out to the shards of each split, in an order that depends on
their ids alone, and the parts are removed.
"""

import collections
import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import pathlib
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from speedflow import declared, media, wording
from speedflow.data import beam_runner, catalogue, records, schema, shots
from speedflow.errors import SpeedflowError, writing
from speedflow.output import atomic, claims, room

NAME = "video_folder"
"""Name of the data set, the first part of its files' names."""

REPORT = "build.json"
"""The report's name in the data set's folder; written last of all."""

PARTS = "parts"
"""The folder, below the data set's, of what a build has done so far."""

# What TFDS wants beside the records.
_DESCRIPTIONS = ("dataset_info.json", "features.json")

# Mean of 12 real clips at quality 90; and of how many it is estimated.
_BYTES_PER_PIXEL = 0.25
_PROBED = 20

# Raised when the same input would give other records than before.
_FORMAT = 2

Progress = Callable[[int, int], None]
"""Called with the number of clips done, and of all clips."""


@dataclasses.dataclass(frozen=True)
class BuildReport:
  """What a build did.

  Attributes:
    key: hash of the clips and the settings.
    clips: number of clips asked for.
    failures: by name of the clip, the reason why it was left out.
    notes: by name of the clip, what to know about one that was taken in.
    duplicate_fraction: by name of the clip, the share of frames that repeat
      the one before; only where there are some.
    records: by split, the number of records.
    frames: by split, the number of frames.
    hours: by split, the hours of playback.
    shards: names of the files of records.
  """

  key: str
  clips: int
  failures: dict[str, str]
  notes: dict[str, list[str]]
  duplicate_fraction: dict[str, float]
  records: dict[str, int]
  frames: dict[str, int]
  hours: dict[str, float]
  shards: list[str]


@dataclasses.dataclass(frozen=True)
class Settings:
  """How frames are stored.

  Attributes:
    short_side: of the JPEGs, in pixels; smaller frames stay as they are.
    quality: of the JPEGs, 1..100.
    find_cuts: whether to look for cuts; else each clip is one shot.
    ignore_metadata: whether to leave clips of no label without one, instead of
      taking what their cameras wrote into the files.
  """

  short_side: int = 256
  quality: int = 90
  find_cuts: bool = True
  ignore_metadata: bool = False


def build(
  src: str | os.PathLike[str] | Sequence[catalogue.Clip],
  out: str | os.PathLike[str],
  *,
  csv_file: str | os.PathLike[str] | None = None,
  short_side: int = 256,
  quality: int = 90,
  find_cuts: bool = True,
  ignore_metadata: bool = False,
  shards_per_split: int = 8,
  file_format: Literal["tfrecord", "array_record"] = "tfrecord",
  split_fractions: Mapping[str, float] = catalogue.DEFAULT_FRACTIONS,
  runner: Any = "DirectRunner",
  num_workers: int = 1,
  beam_options: Sequence[str] = (),
  overwrite: bool = False,
  on_progress: Progress | None = None,
) -> BuildReport:
  """Builds a data set from a folder of videos, or from a list of clips.

  Killed at any time and run again, it goes on and gives the same result. Run
  once more when complete, it does nothing.

  Args:
    src: a folder for `catalogue.from_folder`, or clips, such as those of
      `speedflow.data.published`.
    out: folder of the data set; one data set a folder. It must be reachable
      under this name by all of Beam's workers.
    csv_file: what is known about the videos of a folder.
    short_side: of the JPEGs, in pixels; smaller frames stay as they are.
    quality: of the JPEGs, 1..100.
    find_cuts: whether to look for cuts; else each clip is one shot.
    ignore_metadata: as in `Settings`.
    shards_per_split: files per split; fewer where there are fewer records.
    file_format: of the shards.
    split_fractions: shares of the splits, for videos of a folder that the
      table gives no split.
    runner: a Beam runner, or its name.
    num_workers: threads, for the DirectRunner.
    beam_options: command-line options for the runner, such as
      `--direct_running_mode=multi_processing` for more than some ten cores, or
      `--region=europe-west4`.
    overwrite: whether to replace files in `out` that speedflow did not make.
    on_progress: called from a second thread while clips are read.

  Returns:
    The report, which is also `out/build.json`. Clips that could not be read
    are named there, and on standard error.

  Raises:
    SpeedflowError: when Beam is missing, no clip at all can be read, or the
      records cannot be written.
  """
  if isinstance(src, str | os.PathLike):
    clips = catalogue.from_folder(src, csv_file, fractions=split_fractions)
  else:
    clips = list(src)
  settings = Settings(short_side, quality, find_cuts, ignore_metadata)
  folder = pathlib.Path(out)
  keys = [part_key(clip, settings) for clip in clips]
  key = _digest([sorted(keys), shards_per_split, file_format])
  inputs = [clip.path for clip in clips]
  if isinstance(src, str | os.PathLike):
    inputs.append(os.fspath(src))
  with claims.claim(
    "data build", folders=[folder], inputs=inputs, overwrite=overwrite
  ):
    if (report := _finished(folder, key)) is None:
      report = _built(
        folder,
        list(zip(clips, keys, strict=True)),
        settings,
        _Layout(key, shards_per_split, file_format),
        functools.partial(
          _run_beam, runner=runner, workers=num_workers, options=beam_options
        ),
        on_progress,
      )
    _remove_parts(folder / PARTS)
  for name, reason in report.failures.items():
    line = f"left out: {wording.shown(name)}: {wording.shown(reason)}"
    print(line, file=sys.stderr)
  if not report.records:
    raise SpeedflowError(
      f"{folder}: none of {report.clips} videos could be read; the reasons are "
      "above"
    )
  return report


@dataclasses.dataclass(frozen=True)
class _Layout:
  """How records are dealt to files, and what all of it follows from."""

  key: str
  shards_per_split: int
  file_format: str


def _built(
  folder: pathlib.Path,
  tasks: list[tuple[catalogue.Clip, str]],
  settings: Settings,
  layout: _Layout,
  run: Callable[..., None],
  on_progress: Progress | None,
) -> BuildReport:
  """Makes what is missing, and deals it out."""
  claims.vet(folder / name for name in (*_DESCRIPTIONS, REPORT))
  claims.clear(records.shards(folder, NAME))
  parts = folder / PARTS
  with writing(parts):
    parts.mkdir(exist_ok=True)
  keys = sorted(key for _, key in tasks)
  missing = [
    clip for clip, key in tasks if not (parts / f"{key}.json").exists()
  ]
  room.require(folder, _bytes(missing, settings), "the records")
  with _watch(parts, keys, on_progress):
    run(
      functools.partial(build_part, folder=parts, settings=settings),
      [task for task in tasks if not (parts / f"{task[1]}.json").exists()],
    )
  summaries = [json.loads((parts / f"{key}.json").read_text()) for key in keys]
  shards = list(
    _deal(folder, summaries, layout.shards_per_split, layout.file_format)
  )
  report = _report(layout.key, summaries, shards)
  if shards:
    run(functools.partial(write_shard, parts=parts), shards)
    _finish(folder, report, shards, layout.file_format)
  return report


def _bytes(clips: Sequence[catalogue.Clip], settings: Settings) -> float:
  """About how much space their parts and shards take, by some of them."""
  some = clips[:: max(1, len(clips) // _PROBED)]
  pixels = 0.0
  for clip in some:
    # What cannot be read takes no space, and is reported when it is read.
    with contextlib.suppress(SpeedflowError):
      info = media.probe(clip.path)
      scale = min(1, settings.short_side / min(info.width, info.height))
      pixels += info.frames * info.width * info.height * scale**2
  pixels *= len(clips) / max(1, len(some))
  return 2 * pixels * _BYTES_PER_PIXEL


def _remove_parts(parts: pathlib.Path) -> None:
  """Removes the parts, those of killed runs with other settings too."""
  if parts.is_dir():
    for path in claims.files(parts):
      path.unlink()
    # What somebody else put there stays.
    with contextlib.suppress(OSError):
      parts.rmdir()


def part_key(clip: catalogue.Clip, settings: Settings) -> str:
  """Returns a hash of all that a part follows from."""
  if os.path.isdir(clip.path):
    files = shots.list_images(clip.path)
  else:
    files = [pathlib.Path(clip.path), *declared.companions(clip.path)]
  stamps = []
  for file in files:
    # A missing file has no stamp; reading it will say what is wrong.
    with contextlib.suppress(OSError):
      status = file.stat()
      stamps.append([file.name, status.st_size, status.st_mtime_ns])
  known = {**dataclasses.asdict(clip), "fps": str(clip.fps)}
  return _digest([_FORMAT, known, dataclasses.asdict(settings), stamps])


def build_part(
  task: tuple[catalogue.Clip, str], folder: pathlib.Path, settings: Settings
) -> None:
  """Writes the part of one clip, and then its summary."""
  claims.join(folder.parent)
  clip, key = task
  source = shots.ClipRecords(clip, **dataclasses.asdict(settings))
  written: list[dict[str, Any]] = []
  reason = None
  try:
    with records.RecordWriter(folder / f"{key}.tfrecord") as writer:
      for record in _readable(source):
        writer.write(record.encode())
        seconds = float(np.ptp(record.times_s()) + 1 / record.fps)
        written.append(
          {"id": record.id, "frames": record.num_frames, "seconds": seconds}
        )
    if not written:
      reason = "no two frames without a cut between them"
  except _UnreadableError as error:
    reason = str(error)
    written = []
  summary = {
    "key": key,
    "name": clip.name,
    "split": clip.split,
    "reason": reason,
    "notes": source.notes,
    "duplicate_fraction": round(source.duplicate_fraction(), 4),
    "records": written,
  }
  with atomic.atomic_path(folder / f"{key}.json") as temporary:
    temporary.write_text(json.dumps(summary))


class _UnreadableError(Exception):
  """A clip that cannot be read; a part that cannot be written is no such."""


def _readable(
  source: Iterable[schema.ShotRecord],
) -> Iterator[schema.ShotRecord]:
  try:
    yield from source
  except SpeedflowError as error:
    raise _UnreadableError(wording.one_line(error)) from error
  except Exception as error:  # One bad file is never fatal.
    name = type(error).__name__
    raise _UnreadableError(f"{name}: {wording.one_line(error)}") from error


@dataclasses.dataclass(frozen=True)
class Shard:
  """A file to write.

  Attributes:
    path: of the file.
    split: that it belongs to.
    records: as (key of the part, number of the record in it).
  """

  path: pathlib.Path
  split: str
  records: list[tuple[str, int]]


def write_shard(shard: Shard, parts: pathlib.Path) -> None:
  """Gathers the records of one shard from the parts."""
  claims.join(shard.path.parent)
  with records.RecordWriter(shard.path) as writer:
    for key, index in shard.records:
      writer.write(records.RecordSource(parts / f"{key}.tfrecord")[index])


def _deal(
  folder: pathlib.Path,
  summaries: list[dict[str, Any]],
  shards_per_split: int,
  file_format: str,
) -> Iterator[Shard]:
  by_split = collections.defaultdict(list)
  for summary in summaries:
    for index, record in enumerate(summary["records"]):
      order = _digest(record["id"])
      by_split[summary["split"]].append((order, summary["key"], index))
  for split, dealt in sorted(by_split.items()):
    ordered = [(key, index) for _, key, index in sorted(dealt)]
    shards = min(shards_per_split, len(ordered))
    for shard in range(shards):
      start, end = (i * len(ordered) // shards for i in (shard, shard + 1))
      yield Shard(
        records.shard_path(folder, NAME, split, shard, shards, file_format),
        split,
        ordered[start:end],
      )


def _finish(
  folder: pathlib.Path,
  report: BuildReport,
  shards: list[Shard],
  file_format: str,
) -> None:
  """Removes what is left of other builds; describes and checks this one."""
  records.remove_shards(folder, NAME, keep=report.shards)
  # Reading everything back checks it, and leaves the indices for later.
  records.RecordSource([shard.path for shard in shards])
  write_tfds_metadata(folder, shards, file_format)
  with atomic.atomic_path(folder / REPORT) as temporary:
    text = json.dumps(dataclasses.asdict(report), indent=2, ensure_ascii=False)
    temporary.write_text(text + "\n")


def write_tfds_metadata(
  folder: pathlib.Path, shards: Iterable[Shard], file_format: str
) -> None:
  """Writes what `tfds.builder_from_directory` wants; needs no TensorFlow."""
  import tensorflow_datasets as tfds

  for name in _DESCRIPTIONS:
    claims.adopt(folder / name)
  template = tfds.core.ShardedFileTemplate(
    data_dir=folder, dataset_name=NAME, filetype_suffix=file_format
  )
  by_split = collections.defaultdict(list)
  for shard in shards:
    by_split[shard.split].append(shard)
  with writing(folder):
    tfds.folder_dataset.write_metadata(
      data_dir=folder,
      features=schema.tfds_features(),
      split_infos=[
        tfds.core.SplitInfo(
          name=split,
          shard_lengths=[len(shard.records) for shard in members],
          num_bytes=sum(shard.path.stat().st_size for shard in members),
          filename_template=template.replace(split=split),
        )
        for split, members in by_split.items()
      ],
      version="1.0.0",
      check_data=False,
      description="Shots of video as JPEG frames, with sound.",
    )


def _finished(folder: pathlib.Path, key: str) -> BuildReport | None:
  try:
    report = BuildReport(**json.loads((folder / REPORT).read_text()))
  except (OSError, ValueError, TypeError):
    return None
  is_whole = all((folder / shard).exists() for shard in report.shards)
  return report if report.key == key and is_whole else None


def _report(
  key: str, summaries: list[dict[str, Any]], shards: list[Shard]
) -> BuildReport:
  good = [s for s in summaries if not s["reason"]]
  count: dict[str, collections.Counter] = {
    name: collections.Counter() for name in ("records", "frames", "hours")
  }
  for summary in good:
    for record in summary["records"]:
      count["records"][summary["split"]] += 1
      count["frames"][summary["split"]] += record["frames"]
      count["hours"][summary["split"]] += record["seconds"] / 3600
  by_name = sorted(summaries, key=lambda summary: summary["name"])
  return BuildReport(
    key=key,
    clips=len(summaries),
    failures={s["name"]: s["reason"] for s in by_name if s["reason"]},
    notes={s["name"]: s["notes"] for s in by_name if s["notes"]},
    duplicate_fraction={
      s["name"]: s["duplicate_fraction"]
      for s in by_name
      if s["duplicate_fraction"] and not s["reason"]
    },
    records=dict(count["records"]),
    frames=dict(count["frames"]),
    hours={k: round(v, 6) for k, v in count["hours"].items()},
    shards=[shard.path.name for shard in shards],
  )


def _run_beam(
  function: Callable[[Any], None],
  tasks: Sequence[Any],
  *,
  runner: Any,
  workers: int,
  options: Sequence[str],
) -> None:
  if not tasks:
    return
  beam, _ = beam_runner.import_beam()
  pipeline = beam_runner.new_pipeline(runner, workers, options)
  # Reshuffle lets the runner deal the tasks out, instead of fusing them.
  _ = pipeline | beam.Create(tasks) | beam.Reshuffle() | beam.Map(function)
  beam_runner.run(pipeline)


@contextlib.contextmanager
def _watch(
  parts: pathlib.Path, keys: Sequence[str], on_progress: Progress | None
) -> Iterator[None]:
  """Reports progress by counting summaries, which works with any runner."""
  for path in (parts / f"{key}.json" for key in keys):
    # What failed may have been mended.
    if path.exists() and json.loads(path.read_text())["reason"]:
      claims.remove(path)
  if on_progress is None:
    yield
    return
  done = threading.Event()

  def count() -> int:
    return sum((parts / f"{key}.json").exists() for key in keys)

  def watch() -> None:
    while not done.wait(0.5):
      on_progress(count(), len(keys))

  thread = threading.Thread(target=watch, daemon=True)
  thread.start()
  try:
    yield
  finally:
    done.set()
    thread.join()
    on_progress(count(), len(keys))


def _digest(value: Any) -> str:
  text = json.dumps(value, sort_keys=True, default=str)
  return hashlib.sha256(text.encode()).hexdigest()[:32]
