"""Motion maps: what the speed networks see instead of pictures.

Between every two frames, dense optical flow (DIS, Kroeger et al., "Fast
Optical Flow using Dense Inverse Search", ECCV 2016) at 128 x 96 pixels is
reduced to 16 x 12 cells. The maps of every shot are computed once, at several
speeds and appearances, and kept as records: training reads those.
"""

import dataclasses
import functools
import itertools
import pathlib
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from speedflow.data import example, shards
from speedflow.data.records import RecordSource
from speedflow.data.schema import ShotRecord
from speedflow.errors import SpeedflowError
from speedflow.output import claims
from speedflow.timewarp import augment, labels, resample

FRAME_SIZE = (96, 128)
"""Height and width, pixels, at which flow is computed."""

MAP_SIZE = (12, 16)
"""Rows and columns of cells."""

CHANNELS = (
  "flow_x",  # Mean over the cell, pixels.
  "flow_y",
  "flow_rms",  # Size of the flow, pixels.
  "flow_max",
  "residual_mean",  # What flow does not explain, grey levels.
  "residual_rms",
  "change_mean",  # Difference of the frames, grey levels.
  "texture_mean",  # Where there is none, flow is a guess.
)

STRIDES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""Speeds, relative to the source, at which motion records hold the maps."""

MIN_MAPS = 8
"""A sequence of fewer maps is of no use, and not kept."""

LONGEST_CLIP = 127
"""At every stride but the first, a shot keeps so many maps at most."""

_CELL = FRAME_SIZE[0] // MAP_SIZE[0]
_GRID = np.meshgrid(
  np.arange(FRAME_SIZE[1], dtype=np.float32),
  np.arange(FRAME_SIZE[0], dtype=np.float32),
)


def flip(maps: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  """Mirrors every second picture, and turns some upside down.

  Args:
    maps: float [t, 12, 16, 8]; changed.
    rng: source of randomness.

  Returns:
    A view of them.
  """
  if rng.random() < 0.5:
    maps = maps[:, :, ::-1]
    maps[..., CHANNELS.index("flow_x")] *= -1
  if rng.random() < 0.3:
    maps = maps[:, ::-1]
    maps[..., CHANNELS.index("flow_y")] *= -1
  return maps


def to_flow_size(image: np.ndarray) -> np.ndarray:
  """Scales a grey picture, uint8 [h, w], to `FRAME_SIZE`."""
  return cv2.resize(image, FRAME_SIZE[::-1], interpolation=cv2.INTER_AREA)


class MotionMapper:
  """Computes motion maps; holds the flow algorithm's work space.

  It is not safe to share between threads.
  """

  def __init__(self):
    self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

  def between(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Describes the motion from one frame to the next.

    Args:
      before: uint8 [96, 128], grey.
      after: the same.

    Returns:
      float16 [12, 16, 8], channels as `CHANNELS`.
    """
    flow = self._flow.calc(before, after, np.empty(0, np.float32))
    warped = cv2.remap(
      after,
      _GRID[0] + flow[..., 0],
      _GRID[1] + flow[..., 1],
      cv2.INTER_LINEAR,
      borderMode=cv2.BORDER_REPLICATE,
    )
    power = flow[..., 0] ** 2 + flow[..., 1] ** 2
    residual = cv2.absdiff(warped, before).astype(np.float32)
    change = cv2.absdiff(after, before).astype(np.float32)
    texture = np.abs(cv2.Sobel(before, cv2.CV_16S, 1, 0)) + np.abs(
      cv2.Sobel(before, cv2.CV_16S, 0, 1)
    )
    # NumPy is four times faster along one axis after the other.
    rows = power.reshape(MAP_SIZE[0], _CELL, FRAME_SIZE[1]).max(1)
    peak = rows.reshape(*MAP_SIZE, _CELL).max(2)
    flow_x, flow_y = _reduce(flow[..., 0]), _reduce(flow[..., 1])
    maps = [
      flow_x,
      flow_y,
      np.sqrt(_reduce(power)),
      np.sqrt(peak),
      _reduce(residual),
      np.sqrt(_reduce(residual**2)),
      _reduce(change),
      _reduce(texture.astype(np.float32)) / 8,
    ]
    return np.stack(maps, -1).astype(np.float16)

  def along(self, frames: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Maps between consecutive frames.

    Args:
      frames: at least two, uint8 [96, 128] each.

    Returns:
      float16 [n - 1, 12, 16, 8].
    """
    pairs = itertools.pairwise(frames)
    return np.stack([self.between(*pair) for pair in pairs])


def _reduce(values: np.ndarray) -> np.ndarray:
  return cv2.resize(values, MAP_SIZE[::-1], interpolation=cv2.INTER_AREA)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class MotionRecord:
  """The motion of one shot in one augmented appearance, at several speeds.

  Attributes:
    id: of the shot.
    appearance: number of the augmented appearance; 0: not augmented.
    source: as in `ShotRecord`.
    category: as in `ShotRecord`.
    scene_group: as in `ShotRecord`.
    split: as in `ShotRecord`.
    label: as in `ShotRecord`.
    speed: playback speed factor of the shot; 0: unknown.
    fps: frames per second of playback, repeated frames not counted.
    maps: by stride (every n-th frame of the shot), float16 [t, 12, 16, 8].
  """

  id: str
  appearance: int
  source: str
  category: str
  scene_group: str
  split: str
  label: str
  speed: float
  fps: float
  maps: dict[int, np.ndarray]

  @property
  def log2_step(self) -> float:
    """log2 step between the shot's frames; nan when its speed is unknown."""
    if not self.speed:
      return float("nan")
    return float(labels.speed_to_step(np.log2(self.speed), self.fps))

  def features(self) -> dict[str, example.Value]:
    """Returns the stored features by name, each a list or an array."""
    texts = ("id", "source", "category", "scene_group", "split", "label")
    features: dict[str, example.Value] = {
      **{name: [getattr(self, name).encode()] for name in texts},
      "look": np.array([self.appearance], np.int64),
      "speed": np.array([self.speed], np.float32),
      "fps": np.array([self.fps], np.float32),
    }
    for stride, maps in self.maps.items():
      features[f"maps/{stride}"] = [np.ascontiguousarray(maps).tobytes()]
    return features

  def encode(self) -> bytes:
    """Serialises the record as a `tf.train.Example`."""
    return example.encode(self.features())

  @classmethod
  def decode(cls, record: bytes) -> "MotionRecord":
    """Parses a record; the maps are not copied.

    Raises:
      SpeedflowError: when the record holds something else.
    """
    try:
      stored = example.decode(record)
      maps = {
        int(name.removeprefix("maps/")): np.frombuffer(
          value[0], np.float16
        ).reshape(-1, *MAP_SIZE, len(CHANNELS))
        for name, value in stored.items()
        if name.startswith("maps/")
      }
      texts = ("id", "source", "category", "scene_group", "split", "label")
      return cls(
        appearance=int(stored["look"][0]),
        speed=float(stored["speed"][0]),
        fps=float(stored["fps"][0]),
        maps=dict(sorted(maps.items())),
        **{name: str(stored[name][0], "utf-8") for name in texts},
      )
    except (KeyError, IndexError, TypeError, ValueError) as error:
      raise SpeedflowError(
        f"not a record of motion ({error!r}); wanted a data set written by "
        "`speedflow data motion`: build it again"
      ) from error


def describe(
  shot: ShotRecord, appearance: int, seed: int
) -> MotionRecord | None:
  """Computes the motion record of a shot.

  Repeated frames are left out first. In every appearance but the first the
  picture is augmented by `timewarp.augment`, and some speeds are made by
  averaging over an open shutter instead of by leaving frames out.

  Args:
    shot: the shot.
    appearance: its number; 0: not augmented.
    seed: of the appearances; the same seed gives the same record.

  Returns:
    The record, or None when the shot is too short.
  """
  rng = np.random.default_rng([seed, appearance, *shot.id.encode()])
  frames = _true_frames(shot)
  if frames is None:
    return None
  clip, fps = frames
  if appearance:
    clip = augment.augment(clip, augment.Appearance.sample(rng))
  small = np.stack([to_flow_size(image) for image in clip])
  mapper = MotionMapper()
  maps = {}
  for stride in STRIDES:
    exposure = (
      float(rng.uniform(0.2, 1.0)) if appearance and rng.random() < 0.4 else 0
    )
    length = (len(small) - 1) // stride
    first = int(rng.integers(0, stride)) if appearance else 0
    if length - 1 < MIN_MAPS:
      break
    plan = resample.ClipPlan(
      start=float(first if first + stride * length <= len(small) else 0),
      factor=float(stride),
      length=length if stride == 1 else min(length, LONGEST_CLIP + 1),
      exposure=exposure,
    )
    maps[stride] = mapper.along(resample.render_clip(small, plan))
  if not maps:
    return None
  return MotionRecord(
    id=shot.id,
    appearance=appearance,
    source=shot.source,
    category=shot.category,
    scene_group=shot.scene_group,
    split=shot.split,
    label=shot.label,
    speed=shot.speed,
    fps=fps,
    maps=maps,
  )


def gray_frames(shot: ShotRecord) -> list[np.ndarray]:
  """Decodes all frames, uint8 [h, w], no larger than flow has use for."""
  # Half of the stored size still exceeds the size at which flow is computed.
  reduce = 2 if min(shot.height, shot.width) >= 2 * FRAME_SIZE[0] else 1
  return [
    shot.image(i, gray=True, reduce=reduce) for i in range(shot.num_frames)
  ]


def _true_frames(shot: ShotRecord) -> tuple[np.ndarray, float] | None:
  """Grey frames without repeats, and how many of them make a second."""
  if shot.num_frames <= MIN_MAPS:
    return None
  images = gray_frames(shot)
  kept = labels.true_frames(images, shot.times_s())
  if len(kept.indices) <= MIN_MAPS:
    return None
  return np.stack([images[i] for i in kept.indices]), kept.fps


def build_motion(
  records: pathlib.Path,
  out: pathlib.Path,
  *,
  appearances: int = 4,
  seed: int = 0,
  workers: int = 1,
  overwrite: bool = False,
  on_progress: shards.Progress | None = None,
) -> int:
  """Writes motion records for every shard of shot records.

  A shard that is there, and newer than the shots, is kept, so that a killed
  build goes on where it was. Shards of other shots are removed.

  Args:
    records: folder that `speedflow data build` wrote.
    out: folder for the motion records; shards keep their names.
    appearances: of each training shot; validation and test shots are taken as
      they are.
    seed: of the appearances.
    workers: processes.
    overwrite: whether to replace files in `out` that speedflow did not make.
    on_progress: called with the number of shards done, and of all.

  Returns:
    The number of motion records written by this call.

  Raises:
    SpeedflowError: there are no records, or they cannot be written.
  """
  sources = shards.of_shots(records, out)
  with claims.claim(
    "data motion", folders=[out], inputs=[records], overwrite=overwrite
  ):
    # Others would be taken for motion of these shots, too.
    shards.remove_stale(out, sources)
    return shards.write_missing(
      {
        path: functools.partial(_motion_of, source, appearances, seed)
        for path, source in sources.items()
      },
      workers=workers,
      on_progress=on_progress,
    )


def _motion_of(
  path: pathlib.Path, appearances: int, seed: int
) -> Iterator[bytes]:
  for encoded in RecordSource(path):
    shot = ShotRecord.decode(encoded)
    for appearance in range(appearances if shot.split == "train" else 1):
      record = describe(shot, appearance, seed)
      if record is not None:
        yield record.encode()
