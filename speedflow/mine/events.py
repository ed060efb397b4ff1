"""Real changes of speed, found by sound, to train the visual detector on.

Where the sound of a video was resampled together with its picture, its sound
gives time and ratio of the change (Seeing Fast and Slow, arXiv 2604.21931,
collects its training samples so). Beam runs the sound detector over a
collection.
"""

import bisect
import dataclasses
import logging
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from speedflow import media, wording
from speedflow.data import beam_runner, catalogue, example, records, schema
from speedflow.errors import SpeedflowError
from speedflow.output import claims
from speedflow.sound import changes

NAME = "speed_changes"
"""First part of the names of the files of events."""

_TEXTS = ("file", "clip", "source", "scene_group", "split", "licence")
_FLOATS = ("time_s", "ratio", "ratio_low", "ratio_high", "probability")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpeedChangeEvent:
  """A change of speed in a file.

  Attributes:
    file: path of the file as it was given.
    clip: name of the clip, the first part of the ids of its records.
    source: as in `schema.ShotRecord`, and so are the next three.
    scene_group: clips of one place and time share it.
    split: `train`, `val` or `test`.
    licence: of the source.
    time_s: seconds on the file's clock.
    ratio: speed after / speed before.
    ratio_low: lower end of its 80 % interval.
    ratio_high: upper end.
    probability: that there is a change of speed.
    shots: ids of the shot records that hold the moment; none, where it falls
      on a cut or no records were given.
  """

  file: str
  clip: str
  source: str = ""
  scene_group: str = ""
  split: str = "train"
  licence: str = ""
  time_s: float
  ratio: float
  ratio_low: float
  ratio_high: float
  probability: float
  shots: tuple[str, ...] = ()

  def encode(self) -> bytes:
    """Serialises the event as a `tf.train.Example`."""
    return example.encode(
      {
        **{
          name: [wording.utf8(getattr(self, name)).encode()] for name in _TEXTS
        },
        **{name: np.array([getattr(self, name)]) for name in _FLOATS},
        "shots": [shot.encode() for shot in self.shots],
      }
    )

  @classmethod
  def decode(cls, record: bytes) -> "SpeedChangeEvent":
    """Parses an event; times and ratios come back as 32-bit floats.

    Raises:
      SpeedflowError: the record holds something else.
    """
    try:
      stored = example.decode(record)
      known: dict[str, Any] = {
        **{name: str(stored[name][0], "utf-8") for name in _TEXTS},
        **{name: float(stored[name][0]) for name in _FLOATS},
      }
      shots = tuple(str(shot, "utf-8") for shot in stored["shots"])
    except (KeyError, IndexError, TypeError, ValueError) as error:
      raise SpeedflowError(
        f"not a speed change ({error!r}); wanted records written by "
        "`speedflow events`: mine them again"
      ) from error
    return cls(shots=shots, **known)


@dataclasses.dataclass(frozen=True, order=True)
class ShotSpan:
  """When a shot record is on screen.

  Attributes:
    start_s: time of its first frame, seconds on the file's clock.
    end_s: time of its last frame.
    id: of the record.
  """

  start_s: float
  end_s: float
  id: str


def shot_spans(paths: Iterable[pathlib.Path]) -> dict[str, list[ShotSpan]]:
  """The shots of each clip, by the clip's name and in order of time.

  Args:
    paths: files of shot records.
  """
  spans: dict[str, list[ShotSpan]] = {}
  for path in paths:
    for encoded in records.RecordSource([path]):
      shot = schema.ShotRecord.decode(encoded)
      times_s = shot.times_s()
      clip = shot.id.rsplit("/", 2)[0]
      spans.setdefault(clip, []).append(
        ShotSpan(float(times_s[0]), float(times_s[-1]), shot.id)
      )
  return {clip: sorted(of_clip) for clip, of_clip in spans.items()}


def shots_at(spans: Sequence[ShotSpan], time_s: float) -> tuple[str, ...]:
  """Ids of the shots that hold a moment.

  Args:
    spans: of one clip, in order of time.
    time_s: the moment.
  """
  last = bisect.bisect_right([span.start_s for span in spans], time_s)
  return tuple(s.id for s in spans[:last] if time_s <= s.end_s)


def listen(
  clip: catalogue.Clip, spans: Sequence[ShotSpan], least_probability: float
) -> tuple[changes.Status | None, list[SpeedChangeEvent]]:
  """Finds the changes in the sound of one clip.

  Args:
    clip: a video file, or a span of it.
    spans: of its shot records, in order of time; may be empty.
    least_probability: of the events that are kept.

  Returns:
    What kind of sound there is, None for none at all; and the events. Where
    there is music, it was most likely laid over the finished picture, so its
    changes are not those of the picture: no events.

  Raises:
    SpeedflowError: the file cannot be read.
  """
  blocks = media.audio_blocks(clip.path, start_s=clip.start_s, end_s=clip.end_s)
  found = changes.find_changes(blocks, least_probability)
  if not found.duration_s:
    return None, []
  if found.status == "music":
    return found.status, []
  return found.status, [
    SpeedChangeEvent(
      file=clip.path,
      clip=clip.name,
      source=clip.source,
      scene_group=clip.scene_group or clip.source,
      split=clip.split,
      licence=clip.licence,
      shots=shots_at(spans, change.time_s),
      **dataclasses.asdict(change),
    )
    for change in found.changes
  ]


@dataclasses.dataclass(frozen=True)
class MiningReport:
  """What was mined.

  Attributes:
    files: number of files that were listened to.
    unreadable: of those, how many could not be read.
    missing: how many have no sound track.
    silent: how many are silent.
    music: how many hold music.
    events: number of events written.
  """

  files: int = 0
  unreadable: int = 0
  missing: int = 0
  silent: int = 0
  music: int = 0
  events: int = 0


def mine(
  src: str | os.PathLike[str] | Sequence[catalogue.Clip],
  out: str | os.PathLike[str],
  *,
  csv_file: str | os.PathLike[str] | None = None,
  shot_records: Sequence[pathlib.Path] = (),
  least_probability: float = 0.5,
  shards: int = 1,
  runner: Any = "DirectRunner",
  workers: int = 1,
  beam_options: Sequence[str] = (),
  overwrite: bool = False,
) -> MiningReport:
  """Finds changes in the sound of a collection and writes them as records.

  A file that cannot be read is logged and counted; it stops nothing.

  Args:
    src: a folder for `catalogue.from_folder`, or clips.
    out: folder for `speed_changes.tfrecord-00000-of-00001` and so on.
    csv_file: what is known about the videos of a folder.
    shot_records: files of the collection's shot records, if there are any.
    least_probability: of the events that are written.
    shards: number of files to write.
    runner: a Beam runner, or its name.
    workers: threads, for the DirectRunner.
    beam_options: command-line options for the runner.
    overwrite: whether to replace files in `out` that speedflow did not make.

  Raises:
    SpeedflowError: there are no videos, Beam is missing, or the events cannot
      be written.
  """
  folder = pathlib.Path(out)
  inputs: list[str | os.PathLike[str]] = list(shot_records)
  if isinstance(src, str | os.PathLike):
    inputs.append(src)
    src = catalogue.from_folder(src, csv_file)
  spans = shot_spans(shot_records)
  tasks = [(clip, spans.get(clip.name, [])) for clip in src]
  beam, _ = beam_runner.import_beam()
  pipeline = beam_runner.new_pipeline(runner, workers, beam_options)

  def encoded(
    task: tuple[catalogue.Clip, list[ShotSpan]],
  ) -> Iterator[bytes]:
    def count(name: str) -> None:
      beam.metrics.Metrics.counter(NAME, name).inc()

    count("files")
    try:
      status, events = listen(*task, least_probability)
    except Exception as error:  # One bad file is never fatal.
      count("unreadable")
      logging.warning(
        "left out: %s: %s",
        wording.shown(task[0].path),
        wording.one_line(error),
      )
      return
    if status != "ok":
      count(status or "missing")
    for event in events:
      count("events")
      yield event.encode()

  _ = (
    pipeline
    | beam.Create(tasks)
    | beam.Reshuffle()
    | beam.FlatMap(encoded)
    | beam.combiners.ToList()
    | beam.Map(_write, folder, shards)
  )
  with claims.claim(
    "events", folders=[folder], inputs=inputs, overwrite=overwrite
  ):
    claims.clear(_shards(folder))
    result = beam_runner.run(pipeline)
  return _report(result.metrics().query()["counters"])


def _write(events: list[bytes], folder: pathlib.Path, shards: int) -> None:
  """Deals the events out, in an order that depends on them alone."""
  claims.join(folder)
  names = [f"{NAME}.tfrecord-{n:05d}-of-{shards:05d}" for n in range(shards)]
  for path in _shards(folder):
    if path.name not in names:
      claims.remove(path)
  for number, name in enumerate(names):
    with records.RecordWriter(folder / name) as writer:
      for event in sorted(events)[number::shards]:
        writer.write(event)


def _shards(folder: pathlib.Path) -> list[pathlib.Path]:
  return sorted(folder.glob(f"{NAME}.tfrecord-?????-of-?????"))


def _report(counters: Iterable[Any]) -> MiningReport:
  names = {field.name for field in dataclasses.fields(MiningReport)}
  counts: Mapping[str, int] = {
    counter.key.metric.name: counter.result
    for counter in counters
    if counter.key.metric.name in names
  }
  return MiningReport(**counts)
