"""What slowing down is compared with.

Each function takes frames, uint8 RGB [h, w, 3], at times 0, 1, 2, ... and
rising times among them, and gives a picture for each.
"""

from collections.abc import Sequence
from fractions import Fraction

import cv2
import numpy as np
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from speedflow.data import optical_flow
from speedflow.superres import interpolator, motion_blur

Frames = Sequence[np.ndarray]

# minterpolate looks two frames back and ahead.
_CONTEXT = 2


def nearest(inputs: Frames, times: Sequence[float]) -> list[np.ndarray]:
  """The input frame nearest in time."""
  return [inputs[int(time + 0.5)] for time in times]


def blend(inputs: Frames, times: Sequence[float]) -> list[np.ndarray]:
  """The frames before and after, weighted by how near they are."""
  pictures = []
  for time in times:
    k = min(int(time), len(inputs) - 2)
    share = time - k
    pictures.append(
      cv2.addWeighted(inputs[k], 1 - share, inputs[k + 1], share, 0)
    )
  return pictures


def minterpolate(inputs: Frames, times: Sequence[float]) -> list[np.ndarray]:
  """FFmpeg's motion-compensated interpolation, at its best settings."""
  rate = int(
    np.lcm.reduce(
      [Fraction(t).limit_denominator(64).denominator for t in times]
    )
  )
  height, width = inputs[0].shape[:2]
  graph = Graph()
  graph.link_nodes(
    graph.add_buffer(
      width=width,
      height=height,
      format=VideoFormat("rgb24", width, height),
      time_base=Fraction(1, rate),
    ),
    graph.add("format", "yuv444p"),
    graph.add(
      "minterpolate",
      f"fps={rate}:mi_mode=mci:mc_mode=aobmc:me_mode=bidir:vsbmc=1:scd=none",
    ),
    graph.add("format", "rgb24"),
    graph.add("buffersink"),
  ).configure()
  padded = [*[inputs[0]] * _CONTEXT, *inputs, *[inputs[-1]] * (_CONTEXT + 1)]
  found: dict[int, np.ndarray] = {}
  for number, image in enumerate([*padded, None]):
    if image is None:
      graph.vpush(None)
    else:
      frame = VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
      frame.pts, frame.time_base = number * rate, Fraction(1, rate)
      graph.vpush(frame)
    while True:
      try:
        made = graph.vpull()
      except (BlockingIOError, EOFError):
        break
      assert made.pts is not None and made.time_base is not None
      time = made.pts * made.time_base
      found[round((time - _CONTEXT) * rate)] = made.to_ndarray()
  return [found[round(time * rate)] for time in times]


def dis(inputs: Frames, times: Sequence[float]) -> list[np.ndarray]:
  """DIS flow and backward warp."""
  return interpolator.classical(inputs, times)


def cascade(
  inputs: Frames, times: Sequence[float], exposure: float
) -> list[np.ndarray]:
  """Deblurs along the motion, then interpolates by DIS."""
  return interpolator.classical(deblur(inputs, exposure), times)


def deblur(inputs: Frames, exposure: float) -> list[np.ndarray]:
  """Undoes motion blur, see `motion_blur.undo`, along DIS flow.

  Args:
    inputs: uint8 RGB [h, w, 3] each.
    exposure: open-shutter time / frame interval, 0..1.
  """
  estimator = optical_flow.FlowEstimator()
  pictures = []
  for k, image in enumerate(inputs):
    other = k + 1 if k + 1 < len(inputs) else k - 1
    path = estimator.between(image, inputs[other]) * np.float32(exposure)
    pictures.append(motion_blur.undo(image, path))
  return pictures
