"""What is known about videos beside their frames: the list to build from."""

import collections
import csv
import dataclasses
import hashlib
import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction

from speedflow import wording
from speedflow.data import schema
from speedflow.errors import SpeedflowError

# fmt: off
VIDEO_SUFFIXES = frozenset({
  ".3gp", ".avi", ".cih", ".cihx", ".cine", ".flv", ".gif", ".m2ts", ".m4v",
  ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm",
  ".wmv", ".y4m",
})
# fmt: on
DEFAULT_FRACTIONS: Mapping[str, float] = {"train": 0.8, "val": 0.1, "test": 0.1}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clip:
  """One video, or a span of it, and what is known about it.

  Attributes:
    name: unique within the data set; the first part of the records' ids.
    path: a video file, or a folder of images that are its frames by name.
    fps: frames per second of a folder of images; None for a video file.
    start_s: start of the span, in seconds of the file; None: its beginning.
    end_s: end of the span, in seconds of the file; None: its end.
    capture_fps: as in `schema.ShotRecord`, and so are the others; given
      either of `capture_fps` and `speed`, the other follows from the fps.
    speed: playback speed factor; 0: unknown.
    label: how the speed is known, one of `schema.LABELS`.
    category: kind of clip.
    source: original repository, data set or file.
    source_path: path inside the source.
    scene_group: clips of one place and time share it.
    split: `train`, `val`, `test` or another name.
    licence: of the source.
    content: what can be seen, in words.
  """

  name: str
  path: str
  fps: Fraction | None = None
  start_s: float | None = None
  end_s: float | None = None
  capture_fps: float = 0.0
  speed: float = 0.0
  label: str = "unknown"
  category: str = ""
  source: str = ""
  source_path: str = ""
  scene_group: str = ""
  split: str = "train"
  licence: str = ""
  content: str = ""

  def __post_init__(self):
    if not re.fullmatch(r"[a-z]\w*", self.split, re.ASCII | re.IGNORECASE):
      raise SpeedflowError(
        f"{self.path}: split {self.split!r} is not a name; wanted letters, "
        "digits and _, such as train, val or test"
      )
    if self.label not in schema.LABELS:
      raise SpeedflowError(
        f"{self.path}: label {self.label!r} is unknown; wanted one of "
        + ", ".join(schema.LABELS)
      )


def from_folder(
  folder: str | os.PathLike[str],
  csv_file: str | os.PathLike[str] | None = None,
  *,
  fractions: Mapping[str, float] = DEFAULT_FRACTIONS,
) -> list[Clip]:
  """Lists the videos of a folder and the folders below it.

  Args:
    folder: where the videos lie.
    csv_file: one row a video, with a header. Column `file` is the path below
      `folder`; the columns named like attributes of `Clip` are taken over;
      further columns are ignored. None: `folder/clips.csv` where there is
      one, else every file with one of `VIDEO_SUFFIXES`.
    fractions: shares of the splits, for videos that the table gives none:
      they are dealt out by their scene group, or else source, or else path.

  A path in the table may not leave the folder, neither by `..` nor by being
  absolute: a table may be someone else's. Links are followed wherever they
  lead, since nobody but the folder's owner puts one there.

  Returns:
    The clips, sorted by path.

  Raises:
    SpeedflowError: when there are no videos, or the table cannot be used.
  """
  root = pathlib.Path(folder)
  if not root.is_dir():
    raise SpeedflowError(f"{root}: not a folder; wanted a folder of videos")
  if csv_file is None and (root / "clips.csv").is_file():
    csv_file = root / "clips.csv"
  if csv_file is not None:
    rows = _read_table(pathlib.Path(csv_file))
  else:
    rows = [
      {"file": str(path.relative_to(root))}
      for path in sorted(root.rglob("*"))
      if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()
    ]
  if not rows:
    raise SpeedflowError(
      f"{csv_file or root}: no videos; wanted files such as .mp4 or .mov"
    )
  names = unique_names([row["file"] for row in rows])
  clips = [
    _clip(root, row, name, fractions, f"{csv_file or root}, row {number}")
    for number, (row, name) in enumerate(zip(rows, names, strict=True), 2)
  ]
  return sorted(clips, key=lambda clip: clip.path)


def unique_names(paths: Sequence[str]) -> list[str]:
  """Returns the files' stems, or whole paths where stems are not unique.

  Raises:
    SpeedflowError: when a path comes twice.
  """
  counts = collections.Counter(paths)
  path, times = counts.most_common(1)[0]
  if times > 1:
    raise SpeedflowError(f"{path}: listed {times} times; wanted once")
  stems = [pathlib.PurePath(path).stem for path in paths]
  shared = {s for s, n in collections.Counter(stems).items() if n > 1}
  return [
    str(pathlib.PurePath(path)).replace("/", "__") if stem in shared else stem
    for path, stem in zip(paths, stems, strict=True)
  ]


def choose_split(
  group: str, fractions: Mapping[str, float] = DEFAULT_FRACTIONS
) -> str:
  """Deals a group to a split by its hash: the same on every machine.

  Args:
    group: what must not be torn apart.
    fractions: shares of the splits, relative to one another.
  """
  digest = hashlib.sha256(group.encode()).digest()
  point = int.from_bytes(digest[:8], "big") / 2**64 * sum(fractions.values())
  for split, share in fractions.items():
    point -= share
    if point < 0:
      return split
  return list(fractions)[-1]


def _read_table(path: pathlib.Path) -> list[dict[str, str]]:
  try:
    with path.open(newline="", encoding="utf-8-sig") as file:
      rows = list(csv.DictReader(file))
  except (OSError, UnicodeDecodeError, csv.Error) as error:
    raise SpeedflowError(
      f"{path}: not readable as a table ({error}); wanted CSV in UTF-8"
    ) from error
  if rows and any(not row.get("file") for row in rows):
    raise SpeedflowError(
      f"{path}: no file is named in column `file`; wanted one row a video with "
      "its path"
    )
  return rows


def _clip(
  root: pathlib.Path,
  row: dict[str, str],
  name: str,
  fractions: Mapping[str, float],
  where: str,
) -> Clip:
  known = {
    field.name: row[field.name]
    for field in dataclasses.fields(Clip)
    if row.get(field.name) and field.type is str
  }
  # Records hold texts in UTF-8, and their ids may be listed, one a line.
  known["source"] = known.get("source", "") or wording.utf8(row["file"])
  inside = os.path.normpath(row["file"])
  if os.path.isabs(inside) or inside.split(os.sep)[0] == os.pardir:
    raise SpeedflowError(
      f"{where}: file {row['file']!r} is not below {root}; wanted a path that "
      "stays in that folder; move the video there, or give a folder that holds "
      "both"
    )
  group = known.get("scene_group") or known["source"]
  known.setdefault("split", choose_split(group, fractions))
  return Clip(
    **{
      **known,
      "name": wording.shown(name),
      "path": str(root / row["file"]),
      "capture_fps": _number(row, "capture_fps", where) or 0.0,
      "speed": _number(row, "speed", where) or 0.0,
      "start_s": _number(row, "start_s", where),
      "end_s": _number(row, "end_s", where),
    }  # type: ignore[arg-type]
  )


def _number(row: dict[str, str], column: str, where: str) -> float | None:
  text = row.get(column)
  if not text:
    return None
  try:
    value = float(text)
  except ValueError:
    value = -1.0
  if not 0 <= value < float("inf"):
    raise SpeedflowError(
      f"{where}: {column} is {text!r}; wanted a number, or nothing"
    )
  return value
