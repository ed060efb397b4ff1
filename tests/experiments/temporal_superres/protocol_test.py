"""Windows and rivals: all see the same frames and answer the same times."""

import cv2
import numpy as np
import pytest

from experiments.temporal_superres import baselines, evaluate, protocol
from speedflow.errors import SpeedflowError


@pytest.fixture(scope="module")
def window():
  """A texture that moves by 4 pixels in an interval."""
  rng = np.random.default_rng(0)
  wide = rng.integers(0, 256, (64, 200, 3), np.uint8)
  wide = cv2.normalize(
    cv2.GaussianBlur(wide, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX
  )
  look = [np.ascontiguousarray(wide[:, x : x + 96]) for x in range(9)]
  return protocol.Window(
    shot="a",
    group="a",
    category="realtime",
    inputs=look[::4],
    truths=[frame for k, frame in enumerate(look) if k % 4],
    times=[k / 4 for k in range(9) if k % 4],
    exposure=0.0,
  )


@pytest.mark.parametrize(
  ("method", "error"),
  [("nearest", 12), ("blend", 9), ("minterpolate", 4), ("dis", 3)],
)
def test_rivals_come_near_the_truth(window, method, error):
  made = getattr(baselines, method)(window.inputs, window.times)
  assert len(made) == 6
  inner = np.s_[10:-10, 10:-10]
  errors = [
    np.abs(a[inner].astype(float) - b[inner]).mean()
    for a, b in zip(made, window.truths, strict=True)
  ]
  assert np.mean(errors) < error


def test_deblurring_a_sharp_picture_changes_nothing(window):
  for made, given in zip(
    baselines.deblur(window.inputs, 0.0), window.inputs, strict=True
  ):
    np.testing.assert_allclose(made.astype(int), given, atol=1)


def test_deblurring_sharpens_along_the_motion(window):
  first, second = (
    np.mean([np.roll(f, s, 1) for s in (-2, -1, 0, 1, 2)], axis=0)
    for f in window.inputs[:2]
  )
  blurred = [np.rint(f).astype(np.uint8) for f in (first, second)]
  made = baselines.deblur(blurred, 1.0)[0]
  inner = np.s_[10:-10, 10:-10]
  before = np.abs(blurred[0][inner].astype(float) - window.inputs[0][inner])
  after = np.abs(made[inner].astype(float) - window.inputs[0][inner])
  assert after.mean() < before.mean()


def test_the_summary_holds_means_and_gains():
  rows = [
    {
      "group": str(k),
      "scores": {
        "DIS": {"psnr": 30.0 + k, "ssim": 0.9},
        "ours": {"psnr": 31.0 + k, "ssim": 0.9},
      },
    }
    for k in range(4)
  ]
  summary = evaluate.summarise(rows)
  assert summary["ours"]["psnr"] == pytest.approx(32.5)
  assert summary["ours"]["gain_db"] == pytest.approx(1.0)
  low, high = summary["ours"]["gain_db_95"]
  assert low == pytest.approx(1.0) and high == pytest.approx(1.0)


def test_a_split_without_records_is_refused(tmp_path):
  with pytest.raises(SpeedflowError, match="no records of the split"):
    protocol.shards(tmp_path, "val")
