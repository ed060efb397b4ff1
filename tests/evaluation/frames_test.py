"""Measures of pictures, against closed forms and scikit-image."""

import cv2
import numpy as np
import pytest
from skimage import metrics

from speedflow.data import optical_flow
from speedflow.evaluation import frames


@pytest.fixture
def picture():
  rng = np.random.default_rng(0)
  noise = rng.integers(0, 256, (64, 96, 3), np.uint8)
  return cv2.GaussianBlur(noise, (0, 0), 2)


def _noisy(picture, size=8.0):
  rng = np.random.default_rng(1)
  noise = picture + rng.normal(0, size, picture.shape)
  return np.clip(np.rint(noise), 0, 255).astype(np.uint8)


def test_psnr_of_one_grey_level_everywhere(picture):
  other = picture + np.uint8(1)
  assert frames.psnr(other, picture) == pytest.approx(48.1308, abs=1e-3)


def test_psnr_agrees_with_scikit_image(picture):
  noisy = _noisy(picture)
  wanted = metrics.peak_signal_noise_ratio(picture, noisy)
  assert frames.psnr(noisy, picture) == pytest.approx(wanted, abs=1e-4)


def test_equal_pictures_score_highest(picture):
  assert frames.psnr(picture, picture) == 100
  assert frames.ssim(picture, picture) == pytest.approx(1)


def test_ssim_agrees_with_scikit_image(picture):
  noisy = _noisy(picture)
  gray = [cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (noisy, picture)]
  wanted = metrics.structural_similarity(
    *gray, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
  )
  assert frames.ssim(noisy, picture) == pytest.approx(wanted, abs=1e-4)


def test_temporal_error_is_the_missing_motion(picture):
  wide = np.tile(picture, (2, 2, 1))
  truths = [wide[:, 3 * k : 3 * k + 128] for k in range(3)]
  flow = optical_flow.FlowEstimator()
  frozen = frames.temporal_error([truths[0]] * 3, truths, flow)
  assert frozen == pytest.approx(3, abs=0.3)
  assert frames.temporal_error(truths, truths, flow) == 0


def test_what_was_drawn_where_nothing_changed_is_invented(picture):
  made = picture.copy()
  made[10:20, 10:20] = 255 - made[10:20, 10:20] // 2
  changed = (np.abs(made.astype(int) - picture).max(-1) > 24).mean()
  rate = frames.hallucination_rate(made, picture, (picture, picture))
  assert rate == pytest.approx(changed)


def test_a_thing_in_the_wrong_place_is_no_invention():
  before, truth, made, after = (
    np.zeros((40, 60, 3), np.uint8) for _ in range(4)
  )
  before[10:20, 10:20] = truth[10:20, 16:26] = 200
  made[10:20, 19:29] = after[10:20, 22:32] = 200
  # Only where truth and both frames agree is a difference an invention.
  rate = frames.hallucination_rate(made, truth, (before, after))
  assert rate == 0


def test_position_error_is_the_distance():
  background = np.full((60, 80, 3), 50, np.uint8)
  truth, made = background.copy(), background.copy()
  truth[20:30, 20:30] = 250
  made[24:34, 23:33] = 250
  error = frames.position_error(made, truth, background)
  assert error == pytest.approx(5)


def test_a_missing_thing_has_no_position():
  background = np.full((60, 80, 3), 50, np.uint8)
  truth = background.copy()
  truth[20:30, 20:30] = 250
  assert np.isnan(frames.position_error(background, truth, background))
