r"""Video files of known speed, as other people would have them estimated.

  python -m experiments.speed_estimator.whole_files --data=$SPEEDFLOW_DATA \
    --out=runs/files

Clips of the data set are played at 1, 2 and 4 times their speed by leaving
frames out, and encoded alike. What `speedflow estimate` shows its network of
each file is computed once, and kept: then a network reads all files in
seconds, and other ways of fusing its readings cost less.
"""

import argparse
import dataclasses
import hashlib
import json
import pathlib
import sys
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from experiments.speed_estimator.dataset import ANCHORS
from speedflow import media
from speedflow.data import catalogue
from speedflow.estimate import estimator as estimator_lib
from speedflow.estimate import pieces, strides
from speedflow.evaluation import report
from speedflow.output import atomic
from speedflow.pictures import shots

WINDOW = 47
"""Maps in a window, of all networks that are compared."""

STRIDES = (1, 2, 4)

# Of a repository at most so many clips: each counts alike anyway.
_MOST_CLIPS = 10
# Frames that a file has at least, where some were left out.
_SHORTEST = 24
_CRF = 20
_LABELS = (*ANCHORS, "pseudo")


@dataclasses.dataclass(frozen=True)
class File:
  """One file and what is known of it.

  Attributes:
    name: of the file, without suffix.
    clip: that it was made of.
    source: repository of the clip.
    category: as in `ShotRecord`.
    label: as in `ShotRecord`.
    stride: how much faster than the clip it plays.
    speed: at which it plays, truly.
    duration_s: seconds of playback.
    fps: frames per second of playback.
  """

  name: str
  clip: str
  source: str
  category: str
  label: str
  stride: int
  speed: float
  duration_s: float
  fps: float


class Seen(NamedTuple):
  """What the network is shown of a file.

  Attributes:
    file: which.
    pieces: of each piece of the video, the looks at it.
  """

  file: File
  pieces: list[list[strides.Look]]


def main(argv: Sequence[str] | None = None) -> int:
  """Writes the files, and what is seen of them; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--data", type=pathlib.Path, required=True)
  parser.add_argument("--splits", default="train,val")
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  args.out.mkdir(parents=True, exist_ok=True)
  for clip in chosen(args.data, args.splits.split(",")):
    for stride in STRIDES:
      done = args.out / f"{clip.name}@{stride}.json"
      if done.exists():
        continue
      video = done.with_suffix(".mp4")
      if not video.exists() and not write(clip, stride, video):
        break
      keep(clip, stride, video, done)
  return 0


def chosen(
  data: pathlib.Path, splits: Sequence[str]
) -> Iterator[catalogue.Clip]:
  """Clips of known speed, not too many of one repository.

  Args:
    data: folder of the data set.
    splits: of these.
  """
  count: dict[str, int] = {}
  clips = [c for c in catalogue.from_folder(data) if c.split in splits]
  # In no order of theirs, but always the same.
  clips.sort(key=lambda c: hashlib.sha256(c.name.encode()).digest())
  for clip in clips:
    if clip.label not in _LABELS or clip.category == "timelapse":
      continue
    count[clip.source] = count.get(clip.source, 0) + 1
    if count[clip.source] <= _MOST_CLIPS:
      yield clip


def write(clip: catalogue.Clip, stride: int, out: pathlib.Path) -> bool:
  """Encodes a clip played faster.

  Args:
    clip: of the data set.
    stride: every so many frames one is kept.
    out: the file.

  Returns:
    Whether enough frames were left; if not, there is no file.
  """
  with media.VideoReader(clip.path) as reader:
    info = reader.info
    frames = list(reader)[::stride]
  if stride > 1 and len(frames) < _SHORTEST:
    return False
  even = info.timeline.even
  with media.VideoWriter(
    out,
    info.timeline.rate,
    (info.width, info.height),
    crf=_CRF,
    time_base=None if even else Fraction(1, 90_000),
  ) as writer:
    for image, shown in frames:
      moment = (shown - frames[0].time) / stride
      writer.write(image, None if even else moment)
  return True


def keep(
  clip: catalogue.Clip, stride: int, video: pathlib.Path, out: pathlib.Path
) -> None:
  """Keeps what the network is shown of a file.

  Args:
    clip: that it was made of.
    stride: how much faster it plays.
    video: the file.
    out: JSON file about it; the looks go beside it, as .npz.
  """
  started = time.time()
  seen = [
    estimator_lib.look(piece, first, picture.maps, WINDOW)
    for picture in [shots.Picture(video)]
    for first, piece in _pieces(picture)
  ]
  with media.VideoReader(video) as reader:
    timeline = reader.info.timeline
  arrays: dict[str, np.ndarray] = {}
  layout: list[list[dict[str, Any]]] = []
  for number, looks in enumerate(seen):
    layout.append([])
    for place, look in enumerate(looks):
      name = f"{number}_{place}"
      arrays[name] = np.concatenate(look.windows)
      layout[-1].append(
        {
          "to_speed": look.to_speed,
          "start_s": look.start_s.tolist(),
          "end_s": look.end_s.tolist(),
          "lengths": [len(window) for window in look.windows],
        }
      )
  with atomic.atomic_path(out.with_suffix(".npz")) as path:
    np.savez(path, allow_pickle=False, **arrays)
  file = File(
    name=out.stem,
    clip=clip.name,
    source=clip.source,
    category=clip.category,
    label=clip.label,
    stride=stride,
    speed=(clip.speed or _speed(clip, video)) * stride,
    duration_s=float(timeline.end - timeline.times[0]),
    fps=float(timeline.rate),
  )
  facts = {
    **dataclasses.asdict(file),
    "pieces": layout,
    "seconds": round(time.time() - started, 2),
  }
  with atomic.atomic_path(out) as path:
    path.write_text(json.dumps(facts) + "\n")


def _pieces(
  picture: shots.Picture,
) -> Iterator[tuple[Fraction, list[media.Frame]]]:
  """As `SpeedEstimator` cuts a file; with the time of its first frame."""
  timed = pieces.TimedFrames(picture.frames())
  dense = picture.info.duration_s <= pieces.DENSE_S
  for piece in pieces.cut(timed, dense, ()):
    yield timed.first, piece


def _speed(clip: catalogue.Clip, video: pathlib.Path) -> float:
  """Of a clip whose rate of capture is known."""
  if not clip.capture_fps:
    return 1.0
  with media.VideoReader(clip.path) as reader:
    return float(reader.info.timeline.rate) / clip.capture_fps


def load(folder: pathlib.Path) -> Iterator[Seen]:
  """What was kept of the files in a folder, by their names."""
  for path in sorted(folder.glob("*@*.json")):
    facts = json.loads(path.read_text())
    layout = facts.pop("pieces")
    del facts["seconds"]
    with np.load(path.with_suffix(".npz")) as arrays:
      yield Seen(
        File(**facts),
        [
          [
            strides.Look(
              look["to_speed"],
              np.array(look["start_s"]),
              np.array(look["end_s"]),
              np.split(
                arrays[f"{number}_{place}"], np.cumsum(look["lengths"])[:-1]
              ),
            )
            for place, look in enumerate(looks)
          ]
          for number, looks in enumerate(layout)
        ],
      )


if __name__ == "__main__":
  sys.exit(report.run(main))
