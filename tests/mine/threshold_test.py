"""The stated false-positive rate holds, whatever the scores."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from speedflow.errors import SpeedflowError
from speedflow.estimate.weights import SPEED
from speedflow.mine import examine, threshold


def _calibration(scores, **fields):
  known = {
    "scores": {f"scene{i}": score for i, score in enumerate(scores)},
    "footage": "toys",
    "min_seconds": 2.0,
    "max_speed": 0.5,
    "weights": "tiny",
    "weights_sha256": SPEED.digest("tiny"),
    "doubt": 1.0,
    "circumstances": {},
  }
  return threshold.Calibration(**(known | fields))


def test_no_false_positive_in_299_scenes_vouches_for_one_per_cent():
  # The rule of three, exactly: 0.99 ** 299 < 0.05.
  assert threshold.confidence_of(0.01, 0, 299) >= 0.95
  assert threshold.confidence_of(0.01, 0, 298) < 0.95


@pytest.mark.parametrize(("above", "negatives"), [(0, 30), (3, 100), (9, 240)])
def test_confidence_is_that_of_clopper_and_pearson(above, negatives):
  upper = stats.binomtest(above, negatives).proportion_ci(0.90).high
  assert threshold.confidence_of(upper, above, negatives) == pytest.approx(0.95)


def test_rate_is_kept_as_often_as_stated():
  rng = np.random.default_rng(0)
  fpr, broken, runs = 0.05, 0, 400
  for _ in range(runs):
    limit = _calibration(rng.normal(size=150)).threshold(fpr)
    broken += stats.norm.sf(limit.evidence) > fpr
  # At most 5 %, and chance.
  assert broken <= stats.binom.ppf(0.999, runs, 0.05)


def test_more_allowed_errors_never_raise_the_threshold():
  scores = np.random.default_rng(1).exponential(size=240)
  limits = [
    _calibration(scores).threshold(fpr).evidence for fpr in (0.02, 0.05, 0.2)
  ]
  assert limits == sorted(limits, reverse=True)


def test_too_few_scenes_give_the_strictest_threshold_and_less_confidence():
  calibration = _calibration([0.1, 0.4, -math.inf])
  limit = calibration.threshold(0.01)
  assert (limit.evidence, limit.above) == (0.4, 0)
  assert limit.confidence == pytest.approx(1 - 0.99**3)
  assert calibration.smallest_fpr() == pytest.approx(1 - 0.05 ** (1 / 3))


def test_evidence_for_real_time_is_never_enough():
  assert _calibration([-1.0] * 400).threshold(0.01).evidence == 0


def test_calibration_survives_its_file(tmp_path):
  calibration = _calibration([0.25, -math.inf])
  path = tmp_path / "mining.json"
  calibration.write(path)
  assert threshold.load(str(path)) == calibration
  json.loads(path.read_text(), parse_constant=pytest.fail)


def test_it_says_nothing_of_other_weights_shorter_pieces_or_faster_ones():
  digest = SPEED.digest("tiny")
  calibration = _calibration([0.0])
  assert calibration.fits(digest, 2.0, 0.5)
  assert not calibration.fits(digest, 1.0, 0.5)
  assert not calibration.fits(digest, 2.0, 0.7)
  assert not calibration.fits("0" * 64, 2.0, 0.5)


def test_missing_calibration_is_explained():
  with pytest.raises(SpeedflowError, match="calibrate"):
    threshold.load("nothing.json")


@pytest.mark.parametrize("fpr", [0.0, 1.0, math.nan])
def test_rate_must_be_a_rate(fpr):
  with pytest.raises(SpeedflowError, match="false-positive rate"):
    _calibration([0.0]).threshold(fpr)


def test_shipped_calibration_belongs_to_the_shipped_weights():
  calibration = threshold.load()
  settings = examine.Settings()
  assert calibration.fits(
    SPEED.digest("tiny"), settings.min_seconds, settings.max_speed
  )
