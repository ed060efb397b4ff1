"""Curves of speed over time."""

import pathlib
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from matplotlib import image

from speedflow.errors import SpeedflowError
from speedflow.estimate import answer as estimate_lib
from speedflow.estimate import plot


def _words(svg):
  return {"".join(e.itertext()) for e in ElementTree.fromstring(svg).iter()}


def test_speed_axis_is_in_octaves_from_an_eighth_to_eight(make_estimate):
  words = _words(plot.curve_svg(plot.Exhibit("a", make_estimate())))
  assert {"1/8x", "1/4x", "1/2x", "1x", "2x", "4x", "8x"} <= words
  assert "16x" not in words


def test_speed_axis_grows_with_the_curve(make_estimate):
  words = _words(plot.curve_svg(plot.Exhibit("a", make_estimate(speed=14.0))))
  assert {"1/16x", "16x"} <= words


def test_an_uncertain_curve_says_so(make_estimate):
  unsure = make_estimate(status="uncertain", reason="nothing moves")
  assert "uncertain" in _words(plot.curve_svg(plot.Exhibit("a", unsure)))


def test_an_answer_without_a_curve_is_drawn(make_estimate):
  unsure = make_estimate(status="uncertain", curve=None)
  assert "uncertain" in _words(plot.curve_svg(plot.Exhibit("a", unsure)))


def test_picture_holds_one_panel_per_file(tmp_path, make_estimate):
  exhibits = [
    plot.Exhibit("$a_1$.mp4", make_estimate()),
    plot.Exhibit("b.mp4", estimate_lib.Estimate.failed("b.mp4", "is empty")),
  ]
  heights = []
  for count in (1, 2):
    path = tmp_path / f"{count}.png"
    plot.write_picture(path, exhibits[:count])
    heights.append(image.imread(path).shape[0])
  assert heights[1] == 2 * heights[0]


def test_picture_reports_a_folder_that_cannot_be_made(tmp_path, make_estimate):
  (tmp_path / "file").write_text("")
  with pytest.raises(SpeedflowError, match="could not be written"):
    plot.write_picture(
      pathlib.Path(tmp_path / "file" / "a.png"),
      [plot.Exhibit("a", make_estimate())],
    )


@pytest.mark.parametrize(
  ("speeds", "text", "mean"),
  [([2.0, 2.0, 2.0], "2x", 2.0), ([1.0, 2.0, 4.0], "1-4x", 2.0)],
)
def test_expected_speed_is_put_into_words(make_estimate, speeds, text, mean):
  expected = (np.array([0.0, 1.0, 2.0]), np.array(speeds))
  exhibit = plot.Exhibit("a", make_estimate(), expected=expected)
  assert exhibit.expected_text == text
  assert exhibit.expected_mean == pytest.approx(mean)
