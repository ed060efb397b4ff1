r"""Video files whose speed changes, as other people would have them examined.

  python -m experiments.speed_change.edited_files --data=$SPEEDFLOW_DATA \
    --out=runs/edited

Real-time clips of the data set, whole: as they are, fast throughout, and with
changes of speed made by leaving frames out, all encoded alike. What `speedflow
detect` shows its network of each file is computed once, and kept: then a
network judges all files in seconds.
"""

import argparse
import dataclasses
import json
import pathlib
import sys
import zlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from experiments.speed_estimator import whole_files
from speedflow import media
from speedflow.detect import change_detector
from speedflow.evaluation import report
from speedflow.output import atomic
from speedflow.pictures import shots
from speedflow.timewarp import resample

STEADY = ("as it is", "2x throughout", "4x throughout")
"""Kinds of files whose speed does not change."""

_SPLICES = {"1.5x": 1.5, "2x": 2.0, "2.5x": 2.5, "4x": 4.0}

KINDS = (*STEADY, *_SPLICES, "ramp", "there and back")
"""The others: one change by a whole or uneven ratio, up or down, a ramp between
1x and 4x, and two changes by 3."""

_CRF = 20
# Seconds, on either side of every change, and of a whole file.
_SIDE_S, _SHORTEST_S = 1.0, 3.0
_RAMP_S = 0.5


@dataclasses.dataclass(frozen=True)
class Edited:
  """One file and what is known of it.

  Attributes:
    name: of the file, without suffix.
    source: repository of the clip.
    kind: one of `KINDS`.
    changes: of each, when it begins and ends, seconds of the file, and its
      ratio, the faster speed to the slower one.
    duration_s: of playback.
  """

  name: str
  source: str
  kind: str
  changes: tuple[tuple[float, float, float], ...]
  duration_s: float


class Seen(NamedTuple):
  """What the network is shown of a file."""

  file: Edited
  looks: list[change_detector.Look]


class Edit(NamedTuple):
  """Which frames play, and when the speed changes.

  Attributes:
    plan: the frames.
    changes: first and last frame of each change, and its ratio.
  """

  plan: resample.ClipPlan
  changes: tuple[tuple[int, int, float], ...] = ()


def main(argv: Sequence[str] | None = None) -> int:
  """Writes the files, and what is seen of them; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--data", type=pathlib.Path, required=True)
  parser.add_argument("--splits", default="train,val")
  parser.add_argument(
    "--repositories",
    type=pathlib.Path,
    help="file with the names of those wanted; all without",
  )
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  args.out.mkdir(parents=True, exist_ok=True)
  wanted = args.repositories and args.repositories.read_text().split()
  for clip in whole_files.chosen(args.data, args.splits.split(",")):
    if clip.category == "realtime" and (not wanted or clip.source in wanted):
      keep(clip.name, clip.path, clip.source, args.out)
  return 0


def keep(
  name: str,
  path: str,
  source: str,
  out: pathlib.Path,
  *,
  keep_videos: bool = False,
) -> None:
  """Writes all files of a clip that it is long enough for, but those there.

  Args:
    name: of the clip.
    path: its file.
    source: its repository.
    out: folder; each file leaves NAME@KIND.npz and .json.
    keep_videos: whether it leaves NAME@KIND.mp4, too.
  """
  detector = change_detector.load_change_detector()
  with media.VideoReader(path) as reader:
    timeline = reader.info.timeline
    size = reader.info.width, reader.info.height
    frames = [frame.image for frame in reader]
  times_s = np.array([float(t) for t in timeline.times][: len(frames)])
  for kind in KINDS:
    done = out / f"{name}@{kind.replace(' ', '_')}.json"
    edit = draw(name, kind, len(times_s), float(timeline.rate))
    if edit is None or done.exists():
      continue
    shown_s = playing_times(times_s, edit.plan)
    video = done.with_suffix(".mp4")
    with media.VideoWriter(
      video,
      timeline.rate,
      size,
      crf=_CRF,
      time_base=None if timeline.even else Fraction(1, 90_000),
    ) as writer:
      for index, shown in zip(edit.plan.indices, shown_s, strict=True):
        writer.write(
          frames[index],
          None if timeline.even else Fraction(round(shown * 90_000), 90_000),
        )
    looks = detector.look(shots.Picture(video))
    file = Edited(
      done.stem,
      source,
      kind,
      tuple((shown_s[a], shown_s[b], ratio) for a, b, ratio in edit.changes),
      float(shown_s[-1]),
    )
    _save(file, looks, done)
    if not keep_videos:
      video.unlink()


def draw(name: str, kind: str, frames: int, fps: float) -> Edit | None:
  """Which frames of a clip play; the same ones every time.

  Args:
    name: of the clip.
    kind: one of `KINDS`.
    frames: that the clip has.
    fps: of the clip.

  Returns:
    The edit; None where the clip is too short.
  """
  rng = np.random.default_rng([zlib.crc32(name.encode()), KINDS.index(kind)])
  last = frames - 1
  side, shortest = round(_SIDE_S * fps), round(_SHORTEST_S * fps)
  if kind in STEADY:
    stride = (1, 2, 4)[STEADY.index(kind)]
    length = last // stride + 1
    return _edit((float(stride),) * length) if length > side else None
  if kind == "there and back":
    # A third of the file each, or as long as the sides must be.
    middle = max(side, last // 9)
    rest = (last - 3 * middle) // 2
    if rest < side or 2 * rest + middle < shortest:
      return None
    curve = (1.0,) * rest + (3.0,) * middle + (1.0,) * (rest + 1)
    return _edit(curve, (rest, rest, 3.0), (rest + middle, rest + middle, 3.0))
  slow, fast = 1.0, _SPLICES.get(kind, 4.0)
  ramp = round(_RAMP_S * fps) if kind == "ramp" else 0
  rises = bool(rng.integers(2))
  # What the ramp takes, in frames of the clip.
  taken = ramp * (fast - slow) / np.log(fast / slow)
  most = int((last - taken - side * slow) / fast)
  lengths = [
    (fast_part, int((last - taken - fast_part * fast) / slow))
    for fast_part in range(side, most + 1)
  ]
  lengths = [n for n in lengths if n[1] >= side and sum(n) + ramp >= shortest]
  if not lengths:
    return None
  fast_part, slow_part = lengths[rng.integers(len(lengths))]
  parts = (slow_part, fast_part) if rises else (fast_part, slow_part)
  speeds = (slow, fast) if rises else (fast, slow)
  length = sum(parts) + ramp + 1
  begin, end = parts[0], parts[0] + ramp
  curve = (
    resample.ramp_curve(length, [(begin, speeds[0]), (end, speeds[1])])
    if ramp
    else resample.splice_curve(length, begin, *speeds)
  )
  while sum(curve[:-1]) > last:
    curve = curve[:-1]
  return _edit(curve, (begin, end, fast / slow))


def _edit(curve: tuple[float, ...], *changes: tuple[int, int, float]) -> Edit:
  plan = resample.ClipPlan(0.0, 1.0, len(curve), curve=curve)
  return Edit(plan, changes)


def playing_times(times_s: np.ndarray, plan: resample.ClipPlan) -> np.ndarray:
  """When each frame is shown, so that the plan's speeds come about.

  Args:
    times_s: float64 [n], of the clip's frames.
    plan: which of them play.

  Returns:
    float64 [length], from 0 on.
  """
  moments = np.interp(plan.positions, np.arange(len(times_s)), times_s)
  passed = np.diff(moments) / plan.factors[:-1]
  return np.concatenate([[0.0], np.cumsum(passed)])


def _save(
  file: Edited, looks: Sequence[change_detector.Look], out: pathlib.Path
) -> None:
  arrays = {
    f"{number}_{name}": np.asarray(value)
    for number, look in enumerate(looks)
    for name, value in vars(look).items()
  }
  with atomic.atomic_path(out.with_suffix(".npz")) as path:
    np.savez(path, allow_pickle=False, **arrays)
  with atomic.atomic_path(out) as path:
    path.write_text(json.dumps(dataclasses.asdict(file)) + "\n")


def load(folder: pathlib.Path) -> Iterator[Seen]:
  """What was kept of the files in a folder, by their names."""
  fields = [f.name for f in dataclasses.fields(change_detector.Look)]
  for path in sorted(folder.glob("*@*.json")):
    facts = json.loads(path.read_text())
    facts["changes"] = tuple(tuple(change) for change in facts["changes"])
    with np.load(path.with_suffix(".npz")) as arrays:
      count = len(arrays.files) // len(fields)
      looks = [
        change_detector.Look(
          **{
            name: value if value.ndim else value.item()
            for name in fields
            for value in [arrays[f"{number}_{name}"]]
          }
        )
        for number in range(count)
      ]
    yield Seen(Edited(**facts), looks)


if __name__ == "__main__":
  sys.exit(report.run(main))
