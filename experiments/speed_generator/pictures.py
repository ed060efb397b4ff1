"""What generated clips of real pictures are like, beside real clips."""

import pathlib

import cv2
import numpy as np
import scipy.linalg

from speedflow.data import motion, tracks
from speedflow.data.records import RecordSource, split_shards
from speedflow.data.schema import ShotRecord
from speedflow.generate import generator
from speedflow.timewarp import labels

SIZE = 128
"""Height and width of the pictures, pixels."""

FRAMES = 17
"""Of a clip."""

# Sides of the picture per frame; below, there is nothing to set in motion.
_STILL = 0.001


def real_clips(records: pathlib.Path, split: str, count: int) -> np.ndarray:
  """The middles of real-time shots, one for each scene, at 30 per second.

  Args:
    records: folder of shot records.
    split: of the scenes.
    count: how many at most.

  Returns:
    uint8 [n, FRAMES, SIZE, SIZE, 3]; the first half a second of each that
    moves.
  """
  clips: dict[str, np.ndarray] = {}
  shards = split_shards(
    records, split, "shot records", "write them with `speedflow data build`"
  )
  for encoded in RecordSource(shards):
    shot = ShotRecord.decode(encoded)
    clip = None if shot.scene_group in clips else _real_time(shot)
    if clip is not None and flow_magnitudes(clip).mean() > _STILL:
      clips[shot.scene_group] = clip
    if len(clips) == count:
      break
  return np.stack(list(clips.values()))


def _real_time(shot: ShotRecord) -> np.ndarray | None:
  """The first frames at 30 per second of the world, if there are."""
  if shot.label not in tracks.KNOWN or not shot.speed:
    return None
  stride = float(shot.fps) / shot.speed / labels.REFERENCE_FPS
  indices = np.rint(np.arange(FRAMES) * stride).astype(int)
  if abs(stride - round(stride)) > 0.05 or indices[-1] >= shot.num_frames:
    return None
  return np.stack(
    [generator.first_frame(shot.image(i), SIZE) for i in indices.tolist()]
  )


def flow_magnitudes(clip: np.ndarray) -> np.ndarray:
  """Mean size of the optical flow from frame to frame.

  Args:
    clip: uint8 [t, s, s, 3].

  Returns:
    float64 [t - 1], in sides of the picture.
  """
  grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip]
  flows = [flow[0] for flow in tracks.flow_both_ways(grey)]
  sizes = np.linalg.norm(np.stack(flows).astype(float), axis=-1)
  return sizes.mean((1, 2)) / len(clip[0])


def motion_features(clips: np.ndarray) -> np.ndarray:
  """Mean and deviation of each channel of the motion maps.

  Args:
    clips: uint8 [n, t, s, s, 3].

  Returns:
    float64 [n, 16].
  """
  mapper = motion.MotionMapper()
  features = []
  for clip in clips:
    small = [
      motion.to_flow_size(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))
      for frame in clip[1:]
    ]
    maps = mapper.along(small).astype(np.float64)
    maps = np.log1p(np.abs(maps))
    features.append(np.concatenate([maps.mean((0, 1, 2)), maps.std((0, 1, 2))]))
  return np.stack(features)


def frechet_distance(one: np.ndarray, other: np.ndarray) -> float:
  """Distance of two sets of features as Gaussians (arXiv 1706.08500).

  Args:
    one: float [n, f].
    other: float [m, f].
  """
  gap = one.mean(0) - other.mean(0)
  first, second = np.cov(one.T), np.cov(other.T)
  middle = scipy.linalg.sqrtm(first @ second).real
  return float(gap @ gap + np.trace(first + second - 2 * middle))


def psnr(one: np.ndarray, other: np.ndarray) -> float:
  """Peak signal-to-noise ratio of uint8 pictures, dB."""
  error = np.square(one.astype(np.float64) - other).mean()
  return float(10 * np.log10(255**2 / max(error, 1e-9)))


def sheet(clips: np.ndarray, every: int = 4) -> np.ndarray:
  """A film strip for each clip, one below the other, of every n-th frame.

  Args:
    clips: uint8 [n, t, s, s, 3].
    every: frames from one picture to the next.

  Returns:
    uint8 [n * s, m * s, 3].
  """
  return np.concatenate(
    [np.concatenate(list(clip[::every]), 1) for clip in clips]
  )
