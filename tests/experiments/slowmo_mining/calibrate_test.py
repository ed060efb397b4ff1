"""The calibration of mining, renewed in part."""

import dataclasses

import pytest

from experiments.slowmo_mining import calibrate
from speedflow.errors import SpeedflowError
from speedflow.mine import threshold


def test_scenes_that_were_examined_again_replace_what_they_scored():
  shipped = threshold.load()
  first, second, *others = shipped.scores
  # The second has no piece that is long enough any more.
  again = dataclasses.replace(shipped, scores={first: 9.5}, doubt=3.0)
  found = calibrate.renewed(shipped, again, {first, second})
  assert found.scores[first] == 9.5
  assert second not in found.scores
  assert all(found.scores[name] == shipped.scores[name] for name in others)
  assert found.doubt == shipped.doubt
  assert found.threshold(0.01).evidence == 9.5
  noted = found.circumstances["examined_again"]
  assert noted["scenes"] == sorted([first, second])


def test_scores_of_other_weights_are_not_mixed():
  shipped = threshold.load()
  again = dataclasses.replace(shipped, weights_sha256="0" * 64)
  with pytest.raises(SpeedflowError, match="other weights"):
    calibrate.renewed(shipped, again, set())
