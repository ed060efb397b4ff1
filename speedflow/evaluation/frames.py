"""How good are synthesised pictures, beside the true ones?"""

import cv2
import numpy as np

from speedflow.data import optical_flow


def psnr(image: np.ndarray, truth: np.ndarray) -> float:
  """Peak signal-to-noise ratio, dB; 100 where they are equal.

  Args:
    image: uint8, any shape.
    truth: uint8, the same shape.
  """
  error = image.astype(np.float32) - truth.astype(np.float32)
  power = float(np.mean(error**2))
  return float(10 * np.log10(255.0**2 / max(power, 255.0**2 * 1e-10)))


def ssim(image: np.ndarray, truth: np.ndarray) -> float:
  """Structural similarity of the luma, 1: equal.

  Wang et al., "Image Quality Assessment: From Error Visibility to Structural
  Similarity", IEEE TIP 2004: Gaussian window of 11 pixels, sigma 1.5; the
  border, where the window is not whole, is left out.

  Args:
    image: uint8 RGB [h, w, 3].
    truth: the same.
  """
  x, y = (
    cv2.cvtColor(each, cv2.COLOR_RGB2GRAY).astype(np.float64)
    for each in (image, truth)
  )

  def blur(values: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(values, (11, 11), 1.5)[5:-5, 5:-5]

  mean_x, mean_y = blur(x), blur(y)
  var_x = blur(x * x) - mean_x**2
  var_y = blur(y * y) - mean_y**2
  both = blur(x * y) - mean_x * mean_y
  c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
  similarity = ((2 * mean_x * mean_y + c1) * (2 * both + c2)) / (
    (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
  )
  return float(similarity.mean())


def temporal_error(
  images: list[np.ndarray],
  truths: list[np.ndarray],
  flow: optical_flow.FlowEstimator,
) -> float:
  """tOF: mean difference of the optical flow between consecutive pictures.

  Chu et al., "Learning Temporal Coherence via Self-Supervision for GAN-based
  Video Generation", 2020, section 5, with DIS flow; in pixels.

  Args:
    images: at least two, uint8 RGB [h, w, 3], in order.
    truths: as many.
    flow: computes it.
  """
  errors = [
    np.abs(
      flow.between(images[k], images[k + 1])
      - flow.between(truths[k], truths[k + 1])
    )
    .sum(-1)
    .mean()
    for k in range(len(images) - 1)
  ]
  return float(np.mean(errors))


def hallucination_rate(
  image: np.ndarray,
  truth: np.ndarray,
  inputs: tuple[np.ndarray, np.ndarray],
  *,
  radius: int = 8,
  tolerance: float = 24.0,
) -> float:
  """Share of pixels with a value that neither truth nor inputs explain.

  A pixel is invented if in some channel it lies outside the range of values
  that both input frames hold within `radius` pixels of it, by more than the
  tolerance, or if it is further than the tolerance from the truth while that
  truth is within the tolerance of both inputs at the same place: where
  nothing changed, something was drawn.

  Args:
    image: uint8 RGB [h, w, 3].
    truth: the same.
    inputs: the frames before and after, the same.
    radius: pixels.
    tolerance: grey levels.
  """
  kernel = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
  lowest = np.minimum(*(cv2.erode(frame, kernel) for frame in inputs))
  highest = np.maximum(*(cv2.dilate(frame, kernel) for frame in inputs))
  values = image.astype(np.float32)
  outside = (values < lowest - tolerance) | (values > highest + tolerance)
  true = truth.astype(np.float32)
  unchanged = np.ones(image.shape[:2], bool)
  for frame in inputs:
    unchanged &= (np.abs(frame - true) <= tolerance).all(-1)
  wrong = (np.abs(values - true) > tolerance).any(-1)
  return float((outside.any(-1) | (unchanged & wrong)).mean())


def position_error(
  image: np.ndarray, truth: np.ndarray, background: np.ndarray
) -> float:
  """How far a moving thing is from where it truly is, in pixels.

  The thing is what differs from the background; its place is the centre of
  that difference, weighted by its size.

  Args:
    image: uint8 RGB [h, w, 3].
    truth: the same.
    background: the same, without the thing.

  Returns:
    The distance; nan where either picture shows nothing but background.
  """
  centres = [_centre(each, background) for each in (image, truth)]
  return float(np.hypot(*(centres[0] - centres[1])))


def _centre(image: np.ndarray, background: np.ndarray) -> np.ndarray:
  change = np.abs(image.astype(np.float64) - background).sum(-1)
  change[change < 0.1 * max(change.max(), 30.0)] = 0
  total = change.sum()
  if not total:
    return np.full(2, np.nan)
  y, x = np.indices(change.shape)
  return np.array([(x * change).sum(), (y * change).sum()]) / total
