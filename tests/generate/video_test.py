import numpy as np
import pytest

from speedflow.errors import SpeedflowError
from speedflow.generate import video


def test_curves_are_straight_in_octaves(tmp_path):
  path = tmp_path / "curve.csv"
  path.write_text("time_s,speed\n0.1,1\n0.3,0.25\n")
  curve = video.read_curve(path, 6, 10.0)
  np.testing.assert_allclose(curve, [1, 1, 0.5, 0.25, 0.25, 0.25])


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("time_s,speed\n", "no rows; give a time and a speed"),
    ("a,b\n1,2\n", "not a speed curve .* wanted the columns time_s"),
    ("time_s;speed\n0;1\n", r"between commas: \['time_s;speed'\]"),
    ("time_s,speed\n0,fast\n", "not a speed curve"),
    ("time_s,speed\n0,1\n0,2\n", "times must increase"),
    ("time_s,speed\n0,0\n", "speeds must be positive"),
  ],
)
def test_bad_curves_are_refused_in_one_line(tmp_path, text, message):
  path = tmp_path / "curve.csv"
  path.write_text(text)
  with pytest.raises(SpeedflowError, match=message) as caught:
    video.read_curve(path, 3, 30.0)
  assert "curve.csv" in str(caught.value)
  assert "\n" not in str(caught.value)
