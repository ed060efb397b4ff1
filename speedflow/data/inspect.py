"""What a folder of records holds: counts, histograms, pictures."""

import collections
import math
import os
import pathlib
from typing import Any

import cv2
import numpy as np
from PIL import Image, PngImagePlugin

from speedflow import wording
from speedflow.data import records, schema
from speedflow.errors import SpeedflowError
from speedflow.output import atomic, marks

_CELL = (176, 112)  # Width and height of a picture in the contact sheet.
_BAR = 30  # Characters of the longest bar of a histogram.


def inspect(out: str | os.PathLike[str]) -> dict[str, Any]:
  """Reads every record of a data set and counts; decodes no picture.

  Args:
    out: folder of records.

  Returns:
    Ready for JSON: `fingerprint` of the records, and by name under `splits`:
    `records`, `shots`, `files`, `sources`, `scene_groups`, `frames`, `hours`
    of playback, `bytes`, `audio_share` (0..1, of the hours), and the
    histograms `fps`, `speed` (by octave; "unknown"), `label`, `category` and
    `size`, which count records.

  Raises:
    SpeedflowError: when there are no records, or one is damaged.
  """
  source = _open(out)
  tallies: dict[str, _Tally] = collections.defaultdict(_Tally)
  for number in range(len(source)):
    encoded = source[number]
    shot = schema.ShotRecord.decode(encoded)
    tallies[shot.split].add(shot, len(encoded))
  return {
    "fingerprint": source.fingerprint(),
    "splits": {name: tallies[name].summary() for name in sorted(tallies)},
  }


def record_files(out: str | os.PathLike[str]) -> list[pathlib.Path]:
  """The files of records in a folder.

  Raises:
    SpeedflowError: there are none.
  """
  folder = pathlib.Path(out)
  files = sorted(
    path
    for suffix in ("tfrecord", "array_record")
    for path in folder.glob(f"[!.]*.{suffix}*")
  )
  if not files:
    raise SpeedflowError(
      f"{folder}: no records in it; wanted a folder that `speedflow data "
      "build` wrote"
    )
  return files


def table(found: dict[str, Any]) -> str:
  """Lays out what `inspect` found as text, for a terminal."""
  splits = found["splits"]
  counts = "records shots files sources scene_groups frames hours MB audio"
  lines = [f"{'split':10}" + "".join(f"{c:>13}" for c in counts.split())]
  for name, split in splits.items():
    cells = [
      *(f"{split[c]:,}" for c in counts.split()[:6]),
      f"{split['hours']:.3f}",
      f"{split['bytes'] / 1e6:,.1f}",
      f"{split['audio_share']:.0%}",
    ]
    lines.append(f"{name:10}" + "".join(f"{cell:>13}" for cell in cells))
  for what in ("fps", "speed", "label", "category"):
    for name, split in splits.items():
      lines += ["", f"{what}, {name}"]
      most = max(split[what].values())
      for value, count in split[what].items():
        bar = "#" * math.ceil(_BAR * count / most)
        lines.append(f"  {wording.shown(value):>20} {count:7,} {bar}")
  return "\n".join(lines)


def contact_sheet(
  out: str | os.PathLike[str],
  picture: str | os.PathLike[str],
  *,
  columns: int = 8,
  rows: int = 6,
) -> None:
  """Draws the middle frames of records from all over the data set.

  Args:
    out: folder of records.
    picture: the file to write, `.jpg` or `.png`.
    columns: pictures across.
    rows: pictures down, at most.

  Raises:
    SpeedflowError: when there are no records, or the file is no picture's.
  """
  path = pathlib.Path(picture)
  if path.suffix.lower() not in (".jpg", ".jpeg", ".png"):
    raise SpeedflowError(f"{path}: not a picture's name; wanted .jpg or .png")
  source = _open(out)
  count = min(columns * rows, len(source))
  cells = [
    _cell(schema.ShotRecord.decode(source[int(number)]))
    for number in np.linspace(0, len(source) - 1, count)
  ]
  cells += [np.zeros_like(cells[0])] * (-count % columns)
  grid = [
    np.hstack(cells[start : start + columns])
    for start in range(0, len(cells), columns)
  ]
  sheet = Image.fromarray(np.vstack(grid))
  marked = PngImagePlugin.PngInfo()
  marked.add_text("Comment", marks.COMMENT)
  with atomic.atomic_path(path) as temporary:
    # Each format takes what it knows, and leaves the other alone.
    sheet.save(temporary, quality=95, comment=marks.COMMENT, pnginfo=marked)


class _Tally:
  """Counts of one split."""

  def __init__(self):
    self._sets: dict[str, set] = collections.defaultdict(set)
    self._histograms: dict[str, collections.Counter] = collections.defaultdict(
      collections.Counter
    )
    self._records = self._frames = self._bytes = 0
    self._seconds = self._audio_seconds = 0.0

  def add(self, shot: schema.ShotRecord, size: int) -> None:
    file = shot.id.split("/")[0]
    self._sets["shots"].add((file, shot.shot))
    self._sets["files"].add(file)
    self._sets["sources"].add(shot.source)
    self._sets["scene_groups"].add(shot.scene_group)
    for what, value in (
      ("fps", round(float(shot.fps))),
      ("speed", _octave(shot.speed)),
      ("label", shot.label),
      ("category", shot.category or "none"),
      ("size", f"{shot.width}x{shot.height}"),
    ):
      self._histograms[what][value] += 1
    seconds = float(np.ptp(shot.times_s()) + 1 / shot.fps)
    self._records += 1
    self._frames += shot.num_frames
    self._bytes += size
    self._seconds += seconds
    self._audio_seconds += seconds if shot.audio_flac else 0.0

  def summary(self) -> dict[str, Any]:
    fps, speed = self._histograms["fps"], self._histograms["speed"]
    return {
      "records": self._records,
      **{what: len(members) for what, members in self._sets.items()},
      "frames": self._frames,
      "hours": round(self._seconds / 3600, 6),
      "bytes": self._bytes,
      "audio_share": round(self._audio_seconds / self._seconds, 4),
      "fps": {str(value): fps[value] for value in sorted(fps)},
      "speed": {_octave_name(k): speed[k] for k in sorted(speed)},
      **{
        what: dict(self._histograms[what].most_common())
        for what in ("label", "category", "size")
      },
    }


def _octave(speed: float) -> float:
  return round(math.log2(speed)) if speed > 0 else math.inf


def _octave_name(octave: float) -> str:
  if octave == math.inf:
    return "unknown"
  return f"{2**octave}x" if octave >= 0 else f"1/{2**-octave}x"


def _open(out: str | os.PathLike[str]) -> records.RecordSource:
  source = records.RecordSource(record_files(out))
  if not len(source):
    raise SpeedflowError(f"{out}: its files are empty; build them again")
  return source


def _cell(shot: schema.ShotRecord) -> np.ndarray:
  """Fits the middle frame into a cell, with a caption."""
  image = shot.image(shot.num_frames // 2)
  width, height = _CELL
  scale = min(width / shot.width, (height - 14) / shot.height)
  size = (max(1, int(shot.width * scale)), max(1, int(shot.height * scale)))
  cell = np.zeros((height, width, 3), np.uint8)
  cell[: size[1], : size[0]] = cv2.resize(
    image, size, interpolation=cv2.INTER_AREA
  )
  speed = f"{shot.speed:.3g}x" if shot.speed else "?"
  caption = f"{shot.split} {speed} {shot.id}"[:34]
  return cv2.putText(
    cell,
    caption,
    (2, height - 4),
    cv2.FONT_HERSHEY_PLAIN,
    0.65,
    (255, 255, 255),
    1,
    cv2.LINE_AA,
  )
