r"""Counts which cuts are found, and what is taken for one, in spliced videos.

  python -m experiments.cuts.evaluate --split test \
    --out experiments/cuts/results/test.json

Needs SPEEDFLOW_DATA, a folder of real clips. Every spliced video is encoded
and read again. `PySceneDetect` is its `AdaptiveDetector`, whose arithmetic was
all that was used here before.
"""

import argparse
import collections
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from scenedetect import FrameTimecode
from scenedetect.detectors import AdaptiveDetector

from experiments.cuts import splices
from speedflow import media
from speedflow.data import shots
from speedflow.evaluation import real_clips, report
from speedflow.training import run_record

SEED = 7
"""Of the splices."""

_VIDEOS = 12
_FPS = 30
_SHORTEST_SHOT = 8
# Frames by which a cut may be beside what it was made of.
_NEAR = 1

Finder = Callable[[Sequence[media.Frame]], list[int]]


def ours(frames: Sequence[media.Frame]) -> list[int]:
  """Numbers of the frames where `shots.number_shots` begins a shot."""
  numbers = [numbered.shot for numbered in shots.number_shots(frames)]
  return [int(k) for k in np.flatnonzero(np.diff(numbers)) + 1]


def pyscenedetect(frames: Sequence[media.Frame]) -> list[int]:
  """The same of PySceneDetect."""
  detector = AdaptiveDetector(min_scene_len=_SHORTEST_SHOT)
  found = []
  for number, frame in enumerate(frames):
    code = FrameTimecode(number, fps=float(_FPS))
    found += detector.process_frame(code, frame.image[..., ::-1])
  return [code.frame_num for code in found]


FINDERS: dict[str, Finder] = {"ours": ours, "PySceneDetect": pyscenedetect}


class Score(NamedTuple):
  """What became of one event.

  Attributes:
    kind: of the event.
    group: scene group of the video's first clip.
    cuts: how many were found in it.
  """

  kind: str
  group: str
  cuts: int


def score(splice: splices.Splice, found: Sequence[int]) -> list[Score]:
  """Gives each cut that was found to an event.

  Joins come first. What belongs to no event is a score of kind "none".
  """
  left = set(found)
  scores = []
  ordered = sorted(splice.events, key=lambda e: e.kind not in splices.JOINS)
  for event in ordered:
    inside = {n for n in left if event.first - _NEAR <= n <= event.end + _NEAR}
    left -= inside
    scores.append(Score(event.kind, splice.groups[0], len(inside)))
  if left:
    scores.append(Score("none", splice.groups[0], len(left)))
  return scores


def videos(
  clips: Sequence[splices.Source], count: int, seed: int
) -> Iterator[splices.Splice]:
  """All spliced videos of a split.

  Args:
    clips: of `splices.sources`.
    count: how many are of joined shots; each clip gives one of every other
      kind.
    seed: of all chance.
  """
  rng = np.random.default_rng(seed)
  for _ in range(count):
    yield splices.joined(clips, rng)
  for clip in clips:
    yield splices.panned(clip, "pan", rng)
    yield splices.panned(clip, "whip pan", rng)
    yield splices.action(clip, rng)


def encoded(splice: splices.Splice) -> list[media.Frame]:
  """A video's frames after H.264."""
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "a.mp4"
    with media.VideoWriter(path, Fraction(_FPS), splices.SIZE, crf=23) as file:
      for image in splice.images:
        file.write(image)
    with media.VideoReader(path) as reader:
      return list(reader)


def summarise(scores: Sequence[Score], seconds: float, frames: int) -> Any:
  """Shares of the events in which cuts were found, by kind."""
  kinds = collections.defaultdict(list)
  for one in scores:
    kinds[one.kind].append(one)
  return {
    "kinds": {
      kind: {
        "events": len(kinds[kind]),
        "with_cuts": sum(one.cuts > 0 for one in kinds[kind]),
        "twice": sum(one.cuts > 1 for one in kinds[kind]),
      }
      for kind in (*splices.JOINS, *splices.DISTURBANCES)
    },
    "elsewhere": sum(one.cuts for one in kinds["none"]),
    "frames": frames,
    "ms_per_frame": round(1e3 * seconds / frames, 3),
  }


def table(results: dict[str, Any]) -> str:
  """The figures as Markdown."""
  rows = []
  for name, found in results["finders"].items():
    for kind, row in found["kinds"].items():
      figure = report.share(row["with_cuts"], row["events"])
      wanted = "found" if kind in splices.JOINS else "taken for a cut"
      rows.append(
        [
          name,
          f"{kind}, {wanted}",
          f"{row['with_cuts']} of {row['events']}",
          f"{figure.low:.0%} to {figure.high:.0%}",
          str(row["twice"]),
        ]
      )
    rows.append(
      [
        name,
        f"elsewhere, in {found['frames']} frames",
        str(found["elsewhere"]),
        "",
        "",
      ]
    )
  cost = ", ".join(
    f"{name} {found['ms_per_frame']:.2f}"
    for name, found in results["finders"].items()
  )
  header = ["", "kind", "events", "95 % interval", "with two cuts"]
  return (
    f"{report.markdown(header, rows)}\n\n"
    f"CPU milliseconds a frame of {splices.SIZE[0]} x {splices.SIZE[1]}: "
    f"{cost}.\n"
  )


def main() -> None:
  """Runs the evaluation."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--split", default="test")
  parser.add_argument("--videos", type=int, default=_VIDEOS)
  parser.add_argument("--seed", type=int, default=SEED)
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args()
  data = real_clips.folder()
  started = time.time()
  clips = splices.sources(data, args.split)
  scores: dict[str, list[Score]] = {name: [] for name in FINDERS}
  seconds = dict.fromkeys(FINDERS, 0.0)
  total = 0
  for splice in videos(clips, args.videos, args.seed):
    frames = encoded(splice)
    total += len(frames)
    for name, finder in FINDERS.items():
      begun = time.process_time()
      found = finder(frames)
      seconds[name] += time.process_time() - begun
      scores[name] += score(splice, found)
      print(name, splice.groups[0], splice.events[0].kind, found, flush=True)
  results = {
    **run_record.circumstances(),
    "config": {
      "split": args.split,
      "videos": args.videos,
      "clips": len(clips),
      "size": splices.SIZE,
      "crf": 23,
    },
    "seed": args.seed,
    "clips_csv_sha256": real_clips.fingerprint(data),
    "seconds": round(time.time() - started),
    "finders": {
      name: summarise(scores[name], seconds[name], total) for name in FINDERS
    },
  }
  run_record.write_results(args.out, results, table(results))


if __name__ == "__main__":
  sys.exit(report.run(main))
