"""Mining as a Beam pipeline of thin steps over pure functions.

  files -> fingerprint -> one examination per content -> clips
        -> near duplicates removed -> shards, manifest, report

What a file holds is kept in `OUT/files/KEY.json`, and its clips in
`OUT/files/KEY.tfrecord`; the key is a hash of the file's content, of the
settings and of the weights. So a run that was killed goes on where it was, and
gives what it would have given. OUT must be reachable under this name by all
workers.
"""

import collections
import contextlib
import dataclasses
import functools
import hashlib
import json
import pathlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import cv2
from apache_beam import pvalue

from speedflow import wording
from speedflow.data import beam_runner, build, records
from speedflow.detect import change_detector
from speedflow.estimate import estimator
from speedflow.mine import duplicates, examine, manifest, refusal, scan, sources
from speedflow.mine.examine import Settings
from speedflow.output import atomic, claims

FILES = "files"
"""The folder, below the output, of what was found file by file."""

# Raised when the same file would give other clips than before.
_FORMAT = 5
_MOST_REMOTE_BYTES = 32 << 30
_RECORDS_PER_SHARD = 256
_NO_UTF8 = re.compile("[\udc80-\udcff]")
_CARRIED = re.compile("\0([89a-f][0-9a-f])")


@dataclasses.dataclass(frozen=True)
class Job:
  """What all workers need to know.

  Attributes:
    out: the output folder.
    settings: what to look for.
    weights: of the estimator, as for `estimator.load_estimator`.
    weights_sha256: of their file.
    changes: of the change detector, as for `load_change_detector`; "": none.
    changes_sha256: of its file.
  """

  out: pathlib.Path
  settings: Settings
  weights: str
  weights_sha256: str
  changes: str = ""
  changes_sha256: str = ""

  def key(self, fingerprint: str) -> str:
    """Names what the examination of a file follows from."""
    followed = [
      _FORMAT,
      fingerprint,
      dataclasses.asdict(self.settings),
      self.weights_sha256,
      self.changes_sha256,
    ]
    text = json.dumps(followed, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Identify(beam.DoFn):
  """From a source to (key, source); keys of what cannot be read are ""."""

  def __init__(self, job: Job):
    self._job = job

  def process(self, source: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yields one pair; the reason comes with what cannot be read."""
    try:
      key, reason = self._job.key(sources.fingerprint(_restored(source))), ""
    except Exception as error:  # One bad file is never fatal.
      key, reason = "", wording.one_line(error)
    yield key, (source, reason)


class Examine(beam.DoFn):
  """From (key, sources of one content) to summaries of files."""

  def __init__(self, job: Job):
    self._job = job

  def process(
    self, element: tuple[str, Iterable[tuple[str, str]]]
  ) -> Iterator[dict[str, Any]]:
    """Yields a summary for each source, and counts what happened."""
    key, members = element
    first, *others = sorted((_restored(name), why) for name, why in members)
    if not key:
      found = [_failed(*member) for member in (first, *others)]
    else:
      source, _ = first
      found = [examined(self._job, key, source)]
      found += [_summary(other, "", {"same_content": 1}) for other, _ in others]
    for summary in found:
      _count({"files": 1, **summary["counts"]})
      yield _carried(summary)


def examined(job: Job, key: str, source: str) -> dict[str, Any]:
  """The summary of one file, from an earlier run where there is one.

  Args:
    job: what to look for.
    key: of the file.
    source: its path or URL.
  """
  claims.join(job.out)
  folder = job.out / FILES
  path = folder / f"{key}.json"
  with contextlib.suppress(OSError, ValueError):
    summary = json.loads(path.read_text())
    # The same content may have another name by now.
    if summary["source"] == source:
      return summary
  cv2.setNumThreads(1)
  summary = _summary(source, "", {})
  with records.RecordWriter(folder / f"{key}.tfrecord") as writer:
    for clip, encoded in _readable(job, key, source, summary):
      clip["records"] = [writer.count, writer.count + len(encoded)]
      for record in encoded:
        writer.write(record)
      summary["clips"].append(clip)
  if "timed_out" in summary["counts"]:
    # How far it came depends on the machine.
    summary = _summary(source, summary["error"], {"timed_out": 1})
  with atomic.atomic_path(path) as temporary:
    temporary.write_text(json.dumps(summary, indent=1) + "\n")
  return summary


def _readable(
  job: Job, key: str, source: str, summary: dict[str, Any]
) -> Iterator[tuple[dict[str, Any], list[bytes]]]:
  """Clips and their records; notes in the summary what else there is.

  An error of reading ends the file, not the run; one of writing is raised at
  the caller's, and ends the run.
  """
  counts: collections.Counter = collections.Counter()
  examination = None
  try:
    with sources.local(source, _MOST_REMOTE_BYTES) as path:
      examination = examine.Examination(
        path, job.settings, *networks(job), counts
      )
      for number, verdict in enumerate(examination):
        if verdict.reason:
          summary["rejected"].append(
            {"reason": verdict.reason, **verdict.to_json()}
          )
          continue
        # It becomes a part of ids, which are texts in lines and in UTF-8.
        stem = wording.shown(pathlib.PurePath(source).stem)
        name = f"{stem}-{key[:8]}-{number:04d}"
        encoded = [
          record.encode()
          for record in examine.records(
            path, name, wording.utf8(source), verdict
          )
        ]
        row = {"id": name, "key": key, "source": source, **verdict.to_json()}
        yield row, encoded
  except Exception as error:  # One bad file is never fatal.
    summary["error"] = wording.one_line(error)
    counts[refusal.counter_of(error)] += 1
  finally:
    summary["counts"] = dict(sorted(counts.items()))
    if examination is not None:
      summary["seconds"] = round(examination.seconds, 3)
      summary["dense_s"] = round(examination.dense_s, 3)


def networks(
  job: Job,
) -> tuple[estimator.SpeedEstimator, scan.FindChanges | None]:
  """What a job examines files with; loaded once per process.

  Raises:
    SpeedflowError: there are no such weights.
  """
  return _networks(
    job.weights, job.weights_sha256, job.changes, job.changes_sha256
  )


# By the digests, too: in a long process, a file may become another one.
@functools.lru_cache(maxsize=1)
def _networks(
  weights: str, weights_sha256: str, changes: str, changes_sha256: str
) -> tuple[estimator.SpeedEstimator, scan.FindChanges | None]:
  del weights_sha256, changes_sha256
  if not changes:
    return estimator.load_estimator(weights), None
  detector = change_detector.load_change_detector(changes)
  return (
    estimator.load_estimator(weights),
    lambda images, fps, maps: [
      change.time_s
      for change in detector.detect(images, fps, maps=maps).changes
    ],
  )


def _summary(source: str, error: str, counts: dict[str, int]) -> dict[str, Any]:
  return {
    "source": source,
    "error": error,
    "seconds": 0.0,
    "dense_s": 0.0,
    "counts": counts,
    "clips": [],
    "rejected": [],
  }


def _failed(source: str, reason: str) -> dict[str, Any]:
  return _summary(source, reason, {"unreadable": 1})


def _count(counts: dict[str, int]) -> None:
  for name, number in counts.items():
    beam.metrics.Metrics.counter("speedflow.mine", name).inc(number)


def keyed_by_band(
  clip: dict[str, Any],
) -> Iterator[tuple[str, tuple[float, str, list[str]]]]:
  """Gives a clip to every group in which its near duplicates may be.

  Longer clips come first in the order of what is yielded; then the clip's
  name decides, so that the order never depends on the workers.
  """
  order = round(clip["start_s"] - clip["end_s"], 4)
  for band in duplicates.bands(_numbers(clip["hash"])):
    yield band, (order, clip["id"], clip["hash"])


def rivals(
  element: tuple[str, Iterable[tuple[float, str, list[str]]]],
) -> Iterator[tuple[str, str]]:
  """Pairs of a clip and one like it that comes before it, within a band."""
  _, members = element
  earlier: list[tuple[str, list[int]]] = []
  for _, name, values in sorted(members):
    hashes = _numbers(values)
    found = next((n for n, h in earlier if duplicates.alike(h, hashes)), None)
    if found is None:
      earlier.append((name, hashes))
    else:
      yield name, found


def _numbers(hashes: Iterable[str]) -> list[int]:
  # Beam's own integers have 63 bits and a sign.
  return [int(value, 16) for value in hashes]


def kept(element: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[Any]:
  """The clip, unless it has a near duplicate which comes before it."""
  _, found = element
  if not list(found["rivals"]):
    yield from found["clip"]


def dropped(
  element: tuple[str, dict[str, Iterable[Any]]],
) -> Iterator[tuple[str, str]]:
  """The other clips: their names, and what they resemble."""
  name, found = element
  if preceding := sorted(found["rivals"]):
    _count({"near_duplicate": 1})
    yield name, preceding[0]


def deal(
  clips: Iterable[dict[str, Any]], out: pathlib.Path
) -> Iterator[build.Shard]:
  """Deals records to shards, in an order that depends on the clips alone."""
  dealt = [
    (clip["key"], index) for clip in _sorted(clips) for index in _rows(clip)
  ]
  count = -(-len(dealt) // _RECORDS_PER_SHARD)
  for shard in range(count):
    start, end = (i * len(dealt) // count for i in (shard, shard + 1))
    path = records.shard_path(
      out, manifest.NAME, "train", shard, count, "tfrecord"
    )
    yield build.Shard(path, "train", dealt[start:end])


def _rows(clip: dict[str, Any]) -> range:
  return range(*clip["records"])


def _sorted(clips: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
  return sorted(clips, key=lambda clip: (clip["source"], clip["start_s"]))


def _totals(summary: dict[str, Any]) -> dict[str, float]:
  return {
    "files": 1,
    "seconds": summary["seconds"],
    "dense_s": summary["dense_s"],
    **summary["counts"],
  }


def _added(totals: Iterable[dict[str, float]]) -> dict[str, float]:
  found: collections.Counter = collections.Counter()
  for each in totals:
    found.update(each)
  return dict(found)


def mine(
  given: Sequence[str],
  job: Job,
  described: dict[str, Any],
  *,
  runner: Any = "DirectRunner",
  workers: int = 1,
  beam_options: Sequence[str] = (),
  overwrite: bool = False,
) -> dict[str, Any]:
  """Mines files and writes all outputs; see `manifest`.

  Killed at any time and run again, it goes on and gives the same result.

  Args:
    given: paths and URLs, as of `sources.expand`.
    job: what to look for and where to write.
    described: what `mining.json` says besides the counts.
    runner: a Beam runner, or its name.
    workers: threads, for the DirectRunner.
    beam_options: command-line options for the runner.
    overwrite: whether to replace files that speedflow did not make.

  Returns:
    What `mining.json` holds.

  Raises:
    SpeedflowError: the results cannot be written, or would replace a file that
      speedflow did not make, or another run is writing them.
  """
  with claims.claim(
    "mine", folders=[job.out], inputs=given, overwrite=overwrite
  ):
    claims.vet(manifest.outputs(job.out))
    claims.clear(records.shards(job.out, manifest.NAME))
    pipeline = beam_runner.new_pipeline(runner, workers, beam_options)
    _add_steps(pipeline, given, job, described)
    beam_runner.run(pipeline)
  return manifest.read(job.out)


def _add_steps(
  pipeline: Any, given: Sequence[str], job: Job, described: dict[str, Any]
) -> None:
  """From files to all outputs."""
  summaries = (
    pipeline
    | "Sources" >> beam.Create([_carried(source) for source in given])
    | "Spread" >> beam.Reshuffle()
    | "Identify" >> beam.ParDo(Identify(job))
    | "ByContent" >> beam.GroupByKey()
    | "Examine" >> beam.ParDo(Examine(job))
  )
  clips = summaries | "Clips" >> beam.FlatMap(_clips_of)
  before = (
    clips
    | "Bands" >> beam.FlatMap(keyed_by_band)
    | "ByBand" >> beam.GroupByKey()
    | "Rivals" >> beam.FlatMap(rivals)
  )
  # One output a step: not all runners know several.
  by_name = {
    "clip": clips | "Named" >> beam.Map(lambda clip: (clip["id"], clip)),
    "rivals": before,
  } | "ByName" >> beam.CoGroupByKey()
  rows = (
    by_name
    | "KeepFirst" >> beam.FlatMap(kept)
    | "Rows" >> beam.combiners.ToList()
  )
  written = (
    rows
    | "Deal" >> beam.FlatMap(deal, job.out)
    | "SpreadShards" >> beam.Reshuffle()
    | "Shards" >> beam.Map(_write_shard, job.out / FILES)
  )
  totals = (
    summaries
    | "Totals" >> beam.Map(_totals)
    | "Add" >> beam.CombineGlobally(_added)
  )
  _ = rows | "Finish" >> beam.Map(
    _finish,
    job.out,
    described,
    totals=pvalue.AsSingleton(totals),
    dropped=pvalue.AsList(by_name | "Dropped" >> beam.FlatMap(dropped)),
    shards=pvalue.AsList(written),
    failures=pvalue.AsList(summaries | "Failures" >> beam.FlatMap(_failure_of)),
  )


def _clips_of(summary: dict[str, Any]) -> Iterator[dict[str, Any]]:
  yield from summary["clips"]


def _failure_of(summary: dict[str, Any]) -> Iterator[tuple[str, str]]:
  if summary["error"]:
    yield summary["source"], summary["error"]


def _finish(
  clips: Sequence[dict[str, Any]],
  *args: Any,
  failures: Iterable[tuple[str, str]],
  **more: Any,
) -> None:
  """`manifest.write`, with names as they are."""
  clips = [clip | {"source": _restored(clip["source"])} for clip in clips]
  failed = [(_restored(source), reason) for source, reason in failures]
  manifest.write(clips, *args, failures=failed, **more)


def _carried(value: Any) -> Any:
  """A value whose texts Beam can carry, which it does in UTF-8 alone.

  Bytes of names that are no UTF-8 are written behind a NUL, which no name has.
  """
  if isinstance(value, dict):
    return {name: _carried(each) for name, each in value.items()}
  if isinstance(value, list):
    return [_carried(each) for each in value]
  if isinstance(value, str):
    return _NO_UTF8.sub(lambda m: f"\0{ord(m[0]) - 0xDC00:02x}", value)
  return value


def _restored(text: str) -> str:
  """Undoes what `_carried` does to a text."""
  return _CARRIED.sub(lambda m: chr(0xDC00 + int(m[1], 16)), text)


def _write_shard(shard: build.Shard, parts: pathlib.Path) -> str:
  build.write_shard(shard, parts)
  return shard.path.name
