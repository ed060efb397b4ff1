"""Pages with players, curves and film strips."""

import re
import urllib.parse

import numpy as np
import pytest

from speedflow import errors
from speedflow.estimate import answer as estimate_lib
from speedflow.estimate import report


def test_page_plays_the_file_by_a_relative_link(
  tmp_path, make_video, make_estimate
):
  video = make_video("my clip #1 & more.mp4")
  page = tmp_path / "out" / "page.html"
  report.write([make_estimate(video)], page)
  (link,) = re.findall(r'<video [^>]*src="([^"]*)"', page.read_text())
  assert not link.startswith("/")
  assert (page.parent / urllib.parse.unquote(link)).resolve() == video


def test_page_refers_to_nothing_on_a_network(
  tmp_path, make_video, make_estimate
):
  report.write([make_estimate(make_video())], tmp_path / "page.html")
  text = (tmp_path / "page.html").read_text()
  links = re.findall(r'(?:src|href|poster)="([^"]*)"', text)
  assert len(links) > 8
  assert not [link for link in links if "//" in link[:64]]
  assert "@import" not in text and "url(" not in text


def test_page_writes_the_speed_under_each_frame(
  tmp_path, make_video, make_estimate
):
  report.write([make_estimate(make_video(), 2.1)], tmp_path / "page.html")
  text = (tmp_path / "page.html").read_text()
  assert text.count("<figcaption><b>2.1x</b>") == 8
  assert "plays about 2.1x fast (1.7-2.6)" in text


def test_page_of_an_uncertain_answer_shows_no_number(
  tmp_path, make_video, make_estimate
):
  unsure = make_estimate(
    make_video(), 2.1, status="uncertain", reason="nothing moves"
  )
  report.write([unsure], tmp_path / "page.html")
  text = (tmp_path / "page.html").read_text()
  assert "does not tell how fast it plays: nothing moves" in text
  assert "2.1x" not in text


def test_page_tells_of_a_file_that_could_not_be_read(tmp_path):
  failed = estimate_lib.Estimate.failed("<b>.mp4", "<b>.mp4: is empty")
  report.write([failed], tmp_path / "page.html")
  text = (tmp_path / "page.html").read_text()
  assert "&lt;b&gt;.mp4: is empty" in text
  assert "<b>.mp4" not in text


def test_film_strip_takes_frames_at_equal_distances(make_video):
  video = make_video(frames=50)
  strip = report.film_strip(video, duration_s=2.0, count=4, height=24)
  times = [time_s for time_s, _ in strip]
  np.testing.assert_allclose(times, [0.25, 0.75, 1.25, 1.75], atol=0.04)
  assert {image.shape for _, image in strip} == {(24, 32, 3)}


def test_film_strip_of_a_short_video_repeats_no_frame(make_video):
  strip = report.film_strip(make_video(frames=3), 0.12, count=8, height=24)
  assert len({time_s for time_s, _ in strip}) == len(strip) <= 3


def test_film_strip_names_a_file_that_cannot_be_read(tmp_path):
  (tmp_path / "a.mp4").write_bytes(b"no video")
  with pytest.raises(errors.SpeedflowError, match=r"a\.mp4"):
    report.film_strip(tmp_path / "a.mp4", 1.0, count=8, height=24)
