"""The data sets of the field, read from the folders they are published as.

    clips = published.clips("gopro_large_all", "/data/GOPRO_Large_all")
    build.build(clips, "/data/records/gopro", find_cuts=False)

A layout is a pattern for the paths below the folder of the data set; what the
pattern's groups match becomes what is known about each clip.
"""

import dataclasses
import os
import pathlib
import re
from collections.abc import Mapping
from fractions import Fraction

from speedflow.data import catalogue, shots
from speedflow.errors import SpeedflowError


@dataclasses.dataclass(frozen=True)
class Layout:
  """How one data set is published.

  Attributes:
    path: regular expression for a clip's path below the data set's folder.
      Its groups are named like attributes of `catalogue.Clip`; `averaged` is
      the number of captured frames per published one.
    wanted: the same path for people.
    source: name of the data set.
    fps: frames per second of folders of images; None where clips are videos.
    lists: regular expression for the files that list the clips of a split,
      one a line or row, with a group `split`; None where paths tell the split.
    capture_fps: frames per second of the world while filming; 0: unknown.
    speed: playback speed factor; 0: follows from fps and `capture_fps`.
    label: how the speed is known.
    category: kind of clip, where the path does not tell.
    licence: of the data set.
  """

  path: str
  wanted: str
  source: str
  fps: int | None = None
  lists: str | None = None
  capture_fps: float = 0.0
  speed: float = 0.0
  label: str = "known"
  category: str = "highfps"
  licence: str = "unknown"


_SPLIT = r"(?P<split>train|val|test)"

LAYOUTS: Mapping[str, Layout] = {
  # Nah et al., CVPR 2017, https://seungjunnah.github.io/Datasets/gopro. A
  # published frame stands for 7 to 13 captured ones; the folder's name tells.
  "gopro_large": Layout(
    path=_SPLIT
    + r"/(?P<scene_group>GOPR\d+)_(?P<averaged>\d+)_\d+"
    + r"/(?P<content>blur|blur_gamma|sharp)",
    wanted="train/GOPR0372_07_00/sharp/000047.png",
    source="GoPro",
    fps=240,
    speed=1.0,
    label="believed",
    licence="CC-BY-4.0",
  ),
  # The same, with all captured frames.
  "gopro_large_all": Layout(
    path=_SPLIT + r"/(?P<scene_group>GOPR\d+)_\d+_\d+",
    wanted="train/GOPR0372_07_00/000001.png",
    source="GoPro",
    fps=240,
    speed=1.0,
    licence="CC-BY-4.0",
  ),
  # Su et al., CVPR 2017, original_high_fps_videos.
  "adobe240": Layout(
    path=r"(.*/)?[^/]+\.(mov|mp4|m4v)",
    wanted="original_high_fps_videos/720p_240fps_1.mov",
    source="Adobe240",
    lists=rf".*{_SPLIT}.*\.txt",
    capture_fps=240.0,
  ),
  # Sim et al., ICCV 2021, https://github.com/JihyongOh/XVFI.
  "x4k1000fps": Layout(
    path=_SPLIT + r"/(Type\d/)?(?P<scene_group>[^/]+)(/[^/]+)?",
    wanted="train/002/occ008.320/0000.png and test/Type1/TEST01/0000.png",
    source="X4K1000FPS",
    fps=1000,
    speed=1.0,
  ),
  # Soomro et al., CRCV-TR-12-01. Clips of one group share their background.
  "ucf101": Layout(
    path=r"(UCF-101/)?(?P<category>[^/]+)/v_(?P<scene_group>\w+_g\d+)_c\d+\.avi",
    wanted="UCF-101/Archery/v_Archery_g01_c01.avi",
    source="UCF101",
    lists=r"(.*/)?(?P<split>train|test)list01\.txt",
    speed=1.0,
    label="assumed_realtime",
  ),
  # Kay et al., arXiv:1705.06950, trimmed as its usual downloaders do.
  "kinetics": Layout(
    path=_SPLIT
    + r"\w*/(?P<category>[^/]+)/(?P<scene_group>.{11})_\d+_\d+\.\w+",
    wanted="train/archery/dQw4w9WgXcQ_000001_000011.mp4",
    source="Kinetics",
    speed=1.0,
    label="assumed_realtime",
  ),
}


def clips(layout: str, folder: str | os.PathLike[str]) -> list[catalogue.Clip]:
  """Lists the clips of a published data set.

  Args:
    layout: a key of `LAYOUTS`.
    folder: where the data set was unpacked.

  Returns:
    The clips, sorted by path. Clips that the data set assigns to no split are
    dealt out by their scene group.

  Raises:
    SpeedflowError: when the layout is unknown or the folder does not have it.
  """
  if layout not in LAYOUTS:
    raise SpeedflowError(
      f"{layout}: no such layout; wanted one of {', '.join(LAYOUTS)}"
    )
  known, root = LAYOUTS[layout], pathlib.Path(folder)
  pattern = re.compile(known.path, re.IGNORECASE)
  found = [
    (path, match)
    for path in (_videos(root) if known.fps is None else _image_folders(root))
    if (match := pattern.fullmatch(path))
  ]
  if not found:
    raise SpeedflowError(
      f"{root}: nothing laid out as {layout}; wanted {known.wanted}"
    )
  splits = _listed_splits(root, known.lists) if known.lists else {}
  names = catalogue.unique_names([path for path, _ in found])
  return [
    _clip(root, path, name, known, match.groupdict(), splits)
    for name, (path, match) in zip(names, found, strict=True)
  ]


def _clip(
  root: pathlib.Path,
  path: str,
  name: str,
  known: Layout,
  told: dict[str, str | None],
  splits: Mapping[str, str],
) -> catalogue.Clip:
  group = told.get("scene_group") or pathlib.PurePath(path).stem
  split = told.get("split") or splits.get(_key(path))
  fps = None
  if known.fps is not None:
    fps = Fraction(known.fps, int(told.get("averaged") or 1))
  return catalogue.Clip(
    name=name,
    path=str(root / path),
    fps=fps,
    capture_fps=known.capture_fps,
    speed=known.speed,
    label=known.label,
    category=told.get("category") or known.category,
    source=known.source,
    source_path=path,
    scene_group=f"{known.source}:{group}",
    split=split.lower() if split else catalogue.choose_split(group),
    licence=known.licence,
    content=told.get("content") or "",
  )


def _videos(root: pathlib.Path) -> list[str]:
  return sorted(
    path.relative_to(root).as_posix()
    for path in root.rglob("*")
    if path.suffix.lower() in catalogue.VIDEO_SUFFIXES
  )


def _image_folders(root: pathlib.Path) -> list[str]:
  return sorted(
    pathlib.Path(folder).relative_to(root).as_posix()
    for folder, _, files in os.walk(root)
    if any(
      pathlib.PurePath(file).suffix.lower() in shots.IMAGE_SUFFIXES
      for file in files
    )
  )


def _listed_splits(root: pathlib.Path, lists: str) -> dict[str, str]:
  """Returns the split of each clip that a list names, by its file's stem."""
  pattern = re.compile(lists, re.IGNORECASE)
  return {
    _key(line): match["split"].lower()
    for path in sorted(root.rglob("*.txt"))
    if (match := pattern.fullmatch(path.relative_to(root).as_posix()))
    for line in path.read_text().splitlines()
    if line.strip()
  }


def _key(line: str) -> str:
  # Lists name files with or without folder, suffix and number of the class.
  name = pathlib.PurePath(line.strip()).name
  return re.sub(r"(\.\w+)?(\s+\d+)?$", "", name).lower()
