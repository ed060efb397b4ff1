"""Windows and rivals: all see the same frames and answer the same times."""

import cv2
import numpy as np
import pytest

from experiments.temporal_superres import baselines, evaluate, protocol
from speedflow.data.records import split_shards
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


def test_the_summary_holds_means_and_paired_gains():
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
  # The shots differ, the gain does not.
  assert summary["ours"]["gain_db"] == {"DIS": pytest.approx([1.0, 1.0, 1.0])}
  low, high = summary["ours"]["psnr_95"]
  assert low < 32.5 < high


def test_a_scene_has_exact_blur_and_exact_truth():
  (scene,) = protocol.scenes([], 1)
  sharp = protocol.scene_window(scene, 0.0)
  blurred = protocol.scene_window(scene, 0.75)
  assert sharp.times == [k / 8 for k in range(1, 8)]
  assert blurred.times == [k / 8 for k in range(8)]
  np.testing.assert_array_equal(sharp.inputs[0], blurred.truths[0])
  for window, times in ((sharp, 7), (blurred, 8)):
    assert len(window.truths) == times
    assert {x.shape for x in window.inputs + window.truths} == {(192, 320, 3)}


def test_the_busiest_stretch_of_a_shot_is_found(make_shot):
  footage = protocol.Footage(make_shot())
  window = protocol.sharp_window(footage, 4, 2)
  assert len(window.inputs) == 3 and window.times == [
    0.25,
    0.5,
    0.75,
    1.25,
    1.5,
    1.75,
  ]
  assert protocol.sharp_window(footage, 4, 2, least=200.0) is None
  # Ordinary footage turns back within eight frames: no blur is made of it.
  assert protocol.blurred_window(footage, 0.5) is None


def test_a_window_has_the_frames_beside_it_where_the_shot_has_them(make_shot):
  footage = protocol.Footage(make_shot(2, 14))
  window = protocol.sharp_window(footage, 4, 1)
  first = next(
    k
    for k in range(14)
    if np.array_equal(footage.frames([k], 192)[0], window.inputs[0])
  )
  for side, number in zip(window.outer, (first - 4, first + 8), strict=True):
    if 0 <= number < 14:
      np.testing.assert_array_equal(side, footage.frames([number], 192)[0])
    else:
      assert side is None
  assert any(side is not None for side in window.outer)


def test_beside_a_blurred_window_is_blur_too(make_shot):
  footage = protocol.Footage(make_shot(1, 80, "slowmo"))
  window = protocol.blurred_window(footage, 1.0)
  sides = [side for side in window.outer if side is not None]
  assert sides
  for side in sides:
    detail = [
      cv2.Laplacian(image, cv2.CV_32F).var()
      for image in (side, window.truths[0])
    ]
    assert detail[0] < detail[1]


def test_the_table_is_of_the_methods_that_were_compared():
  figures = {
    "ssim": 0.9,
    "tof": 1.0,
    "hallucination": 0.0,
    "ms_per_frame": 1.0,
  }
  rows = [
    {
      "shot": f"shot {k}",
      "group": str(k),
      "scores": {
        name: {"psnr": 30.0 + k + gain} | figures
        for name, gain in (("DIS", 0), ("ours", 0.5))
      },
    }
    for k in range(3)
  ]
  results = {"sharp 2x": {"summary": evaluate.summarise(rows), "windows": rows}}
  table = evaluate.table(results)
  assert "| ours | 31.50 | +0.50 (+0.50 to +0.50) | - |" in table
  assert "| shot 2 | 32.00 | 32.50 |" in table


def test_a_split_without_records_is_refused(tmp_path):
  with pytest.raises(SpeedflowError, match="no records of the split"):
    split_shards(tmp_path, "val")
