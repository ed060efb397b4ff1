"""Trajectories of the points of a picture, which the generator is trained on.

From a frame of a shot, a grid of points is tracked by dense optical flow (DIS,
Kroeger et al., ECCV 2016) from frame to frame, so that large displacements are
sums of small ones. Flow is computed at full resolution, unsmoothed: of the
displacement of a small body that crosses a textured scene, 96 % is found so,
and 60 % with OpenCV's medium preset. A trajectory is a smooth function of world
time: points are tracked once for clips at all speeds.
"""

import dataclasses
import itertools
import os
import pathlib
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from speedflow import media
from speedflow.data import example
from speedflow.data.schema import ShotRecord
from speedflow.errors import SpeedflowError
from speedflow.timewarp import labels

SIZE = 64
"""Height and width of the stored first frame, pixels."""

GRID = 16
"""Points along each side."""

KNOWN = ("known", "declared", "believed", "assumed_realtime")
"""Labels of speed that are relied on."""

_LONGEST_S = 2.6
# Moments that are kept of each following, closer at its start.
_MOMENTS = 64
# Tracks over fewer frames are too short to be of use.
_FEWEST = 8
# Short side of the pictures that are followed, pixels.
_FLOW_SIDE = 96
# Of a longer shot, so many frames in a row are used.
_MOST_FRAMES = 150
# Motion below this, in sides of the picture per second, are a camera on a
# tripod before nothing: they would teach the generator to stand still.
_STILL = 0.02


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TrackRecord:
  """Where the points of one picture went.

  Attributes:
    id: of the shot, and the number of the first frame in it.
    scene_group: of the shot.
    image: uint8 [SIZE, SIZE, 3], the first frame.
    times_s: float32 [n], seconds of the world since then, increasing.
    trajectories: float16 [n, GRID, GRID, 2], x and y displacement of the points
      since then, in sides of the picture. Those of lost points are
      extrapolated.
    doubt: standard deviation, octaves, of the speed that `times_s` rest on; 0
      where it is known.
  """

  id: str
  scene_group: str
  image: np.ndarray
  times_s: np.ndarray
  trajectories: np.ndarray
  doubt: float = 0.0

  def encode(self) -> bytes:
    """Serialises the record as a `tf.train.Example`."""
    image = cv2.cvtColor(self.image, cv2.COLOR_RGB2BGR)
    return example.encode(
      {
        "id": [self.id.encode()],
        "scene_group": [self.scene_group.encode()],
        "image/png": [cv2.imencode(".png", image)[1].tobytes()],
        "times_s": self.times_s,
        "ways": [self.trajectories.astype("<f2").tobytes()],
        "doubt": np.array([self.doubt], np.float32),
      }
    )

  @classmethod
  def decode(cls, record: bytes) -> "TrackRecord":
    """Parses a record.

    Raises:
      SpeedflowError: when the record holds something else.
    """
    try:
      stored = example.decode(record)
      png = np.frombuffer(stored["image/png"][0], np.uint8)
      image = cv2.imdecode(png, cv2.IMREAD_COLOR_RGB)
      if image is None:
        raise ValueError("no picture")
      return cls(
        id=str(stored["id"][0], "utf-8"),
        scene_group=str(stored["scene_group"][0], "utf-8"),
        image=image,
        times_s=stored["times_s"],
        trajectories=np.frombuffer(stored["ways"][0], "<f2").reshape(
          len(stored["times_s"]), GRID, GRID, 2
        ),
        # Older records are all of known speeds.
        doubt=float(stored.get("doubt", (0.0,))[0]),
      )
    except (KeyError, IndexError, TypeError, ValueError, cv2.error) as error:
      raise _not_tracks(error) from error


def record_id(record: bytes) -> str:
  """The id of an encoded `TrackRecord`, whose picture stays unread.

  Raises:
    SpeedflowError: when the record holds something else.
  """
  try:
    return str(example.decode(record)["id"][0], "utf-8")
  except (KeyError, IndexError, TypeError, ValueError) as error:
    raise _not_tracks(error) from error


def _not_tracks(error: Exception) -> SpeedflowError:
  return SpeedflowError(
    f"not a record of tracks ({error!r}); wanted a folder written by "
    "`python -m experiments.speed_generator.tracks`: build it again"
  )


def grid_points() -> np.ndarray:
  """The points that are followed, float32 [GRID, GRID, 2], x and y, 0..1."""
  centres = (np.arange(GRID, dtype=np.float32) + 0.5) / GRID
  return np.stack(np.meshgrid(centres, centres), -1)


def flow_both_ways(grey: Sequence[np.ndarray]) -> list[np.ndarray]:
  """Flow between consecutive pictures uint8 [h, w], there and back.

  Returns:
    float16 [2, h, w, 2] for each pair, pixels.
  """
  algorithm = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
  algorithm.setFinestScale(0)
  algorithm.setVariationalRefinementIterations(0)
  return [
    np.stack(
      [
        algorithm.calc(*pair, np.empty(0, np.float32))
        for pair in ((one, two), (two, one))
      ]
    ).astype(np.float16)
    for one, two in itertools.pairwise(grey)
  ]


def follow(points: np.ndarray, flows: Sequence[np.ndarray]) -> np.ndarray:
  """Adds up optical flow along the trajectories of points.

  A point is lost when flow there and back does not return (Sundaram et al.,
  ECCV 2010, section 4), or where it leaves the picture. It keeps its mean
  velocity from then on.

  Args:
    points: float32 [g, g, 2], pixels.
    flows: between consecutive frames, there and back, float [2, h, w, 2].

  Returns:
    float32 [n + 1, g, g, 2], pixels from where they were.
  """
  height, width = flows[0].shape[1:3]
  trajectories = [np.zeros_like(points)]
  seen = np.ones(points.shape[:2], bool)
  for count, (there, back) in enumerate(flows, 1):
    place = points + trajectories[-1]
    step = _fetch(there, place)
    undo = _fetch(back, place + step)
    gap = np.square(step + undo).sum(-1)
    size = np.square(step).sum(-1) + np.square(undo).sum(-1)
    inside = np.all((place >= 0) & (place <= (width - 1, height - 1)), -1)
    seen &= inside & (gap <= 0.01 * size + 0.5)
    # Lost at the first step, a point is taken to rest.
    held = trajectories[-1] * (count / max(count - 1, 1))
    trajectories.append(
      np.where(seen[..., None], trajectories[-1] + step, held)
    )
  return np.stack(trajectories)


def _fetch(flow: np.ndarray, place: np.ndarray) -> np.ndarray:
  x, y = np.moveaxis(place.astype(np.float32), -1, 0)
  return cv2.remap(
    flow.astype(np.float32),
    x,
    y,
    cv2.INTER_LINEAR,
    borderMode=cv2.BORDER_REPLICATE,
  )


def track_shot(
  shot: ShotRecord, rng: np.random.Generator, doubt: float = 0.0
) -> Iterator[TrackRecord]:
  """Follows several views of a shot from several frames.

  Views in which hardly anything moves are left out, and so are shots whose
  speed is not known, unless the doubt of the estimate is.

  Args:
    shot: the shot.
    rng: chooses frames and views.
    doubt: standard deviation of the shot's speed, octaves, if it is estimated.
  """
  if not (shot.label in KNOWN or doubt) or not shot.speed:
    return
  reduce = 2 if min(shot.height, shot.width) >= 2 * SIZE else 1
  pictures = [shot.image(i, reduce=reduce) for i in range(shot.num_frames)]
  grey = _to_follow(pictures)
  kept = labels.true_frames(grey, shot.times_s())
  if len(kept.indices) <= _FEWEST:
    return
  first = int(rng.integers(max(len(kept.indices) - _MOST_FRAMES, 0) + 1))
  used = kept.indices[first : first + _MOST_FRAMES]
  flows = flow_both_ways([grey[index] for index in used])
  step_s = shot.speed / kept.fps
  starts = max(len(flows) - _FEWEST, 1)
  for _ in range(int(np.clip(len(flows) * step_s * 3, 4, 24))):
    start = int(rng.integers(starts))
    first = int(used[start])
    height, width = pictures[first].shape[:2]
    side = round(min(height, width) * rng.uniform(0.7, 1.0))
    left, top = rng.integers((width - side + 1, height - side + 1)).tolist()
    record = _track_view(
      pictures[first],
      (left, top, side),
      flows[start:],
      step_s,
      id=f"{shot.id}@{first}",
      scene_group=shot.scene_group,
      doubt=doubt,
    )
    seconds = float(record.times_s[-1])
    if (
      np.sqrt(np.square(record.trajectories[-1]).sum(-1).mean())
      >= _STILL * seconds
    ):
      yield record


def track_video(
  path: str | os.PathLike[str], speed: float = 1.0
) -> TrackRecord:
  """Follows the middle square of a video's first frame.

  Args:
    path: the file; its name is the record's id.
    speed: playback speed factor, which gives seconds of the world.

  Raises:
    SpeedflowError: it cannot be read, or is too short to show a motion.
  """
  pictures, times = [], []
  with media.VideoReader(path, short_side=2 * SIZE) as reader:
    for frame in reader:
      pictures.append(frame.image)
      times.append(float(frame.time))
      if (times[-1] - times[0]) * speed > _LONGEST_S:
        break
  grey = _to_follow(pictures)
  kept = labels.true_frames(grey, times)
  if len(kept.indices) <= _FEWEST:
    raise SpeedflowError(
      f"{os.fspath(path)}: {len(kept.indices)} different frames show too "
      f"little of a motion; wanted more than {_FEWEST}"
    )
  height, width = pictures[0].shape[:2]
  side = min(height, width)
  return _track_view(
    pictures[kept.indices[0]],
    ((width - side) // 2, (height - side) // 2, side),
    flow_both_ways([grey[index] for index in kept.indices]),
    speed / kept.fps,
    id=pathlib.Path(path).name,
  )


def _to_follow(pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
  """Grey pictures of the size at which they are followed."""
  scale = _FLOW_SIDE / min(pictures[0].shape[:2])
  return [
    cv2.resize(
      cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY),
      None,
      fx=scale,
      fy=scale,
      interpolation=cv2.INTER_AREA,
    )
    for picture in pictures
  ]


def _track_view(
  image: np.ndarray,
  square: tuple[int, int, int],
  flows: Sequence[np.ndarray],
  step_s: float,
  *,
  id: str,
  scene_group: str = "",
  doubt: float = 0.0,
) -> TrackRecord:
  """Follows a square part of a picture.

  Args:
    image: uint8 [h, w, 3].
    square: its left, top and side, pixels.
    flows: from frame to frame, see `follow`; they cover the whole picture.
    step_s: seconds of the world between frames.
    id: of the record.
    scene_group: of the record.
    doubt: of the record.
  """
  left, top, side = square
  scale = flows[0].shape[1] / image.shape[0]
  points = ((left, top) + grid_points() * side) * scale - 0.5
  trajectories = follow(
    points.astype(np.float32), flows[: round(_LONGEST_S / step_s)]
  )
  trajectories /= side * scale
  chosen = np.unique(
    np.rint(
      np.linspace(0, 1, _MOMENTS) ** 1.5 * (len(trajectories) - 1)
    ).astype(int)
  )
  return TrackRecord(
    id=id,
    scene_group=scene_group,
    image=cv2.resize(
      image[top : top + side, left : left + side],
      (SIZE, SIZE),
      interpolation=cv2.INTER_AREA,
    ),
    times_s=(chosen * step_s).astype(np.float32),
    trajectories=trajectories[chosen].astype(np.float16),
    doubt=doubt,
  )


def between(
  times_s: np.ndarray, trajectories: np.ndarray, at_s: np.ndarray
) -> np.ndarray:
  """Interpolates trajectories at other times, linearly.

  Args:
    times_s: increasing, [n].
    trajectories: [n, ...].
    at_s: within `times_s`, [t].

  Returns:
    float32 [t, ...].
  """
  after = np.clip(np.searchsorted(times_s, at_s), 1, len(times_s) - 1)
  start, end = times_s[after - 1], times_s[after]
  share = ((at_s - start) / (end - start)).astype(np.float32)
  share = share.reshape(-1, *[1] * (trajectories.ndim - 1))
  return (1 - share) * trajectories[after - 1] + share * trajectories[after]
