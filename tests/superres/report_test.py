"""The page about a slowed video, and the demonstration of slow motion."""

import re
import shutil

import markupsafe
import numpy as np
import pytest

from speedflow import api, media
from speedflow.demo import slow_motion
from speedflow.errors import SpeedflowError
from speedflow.superres import provenance, report


@pytest.fixture(scope="module")
def slowed(tmp_path_factory, untrained_weights):
  """A clip and its slow motion, with a cut in the middle."""
  folder = tmp_path_factory.mktemp("slowed")
  texture = np.random.default_rng(0).integers(0, 256, (12, 60, 3), np.uint8)
  texture = texture.repeat(4, 0).repeat(4, 1)
  with media.VideoWriter(folder / "in.mp4", 25, (64, 48)) as writer:
    for k in range(20):
      image = texture[:, 4 * k : 4 * k + 64] // (1 if k < 10 else 3)
      writer.write(np.ascontiguousarray(image))
  api.superres(
    folder / "in.mp4",
    folder / "out.mp4",
    factor=4,
    slow=True,
    weights=untrained_weights,
  )
  return folder


@pytest.fixture(scope="module")
def page(slowed):
  report.write(slowed / "page.html", slowed / "in.mp4", slowed / "out.mp4")
  return (slowed / "page.html").read_text()


def test_the_page_needs_no_network_and_links_both_videos(page):
  assert 'src="in.mp4"' in page
  assert 'src="out.mp4"' in page
  assert not re.search(r'(src|href)="(https?:)?//', page)


def test_a_hostile_name_is_shown_as_a_name(slowed, tmp_path):
  name = "<script>alert(1)<img src=x onerror=alert(2)>&\"'"
  for suffix in (".mp4", ".mp4.json"):
    shutil.copy(slowed / f"out{suffix}", tmp_path / f"{name}{suffix}")
  path = tmp_path / "page.html"
  report.write(path, slowed / "in.mp4", tmp_path / f"{name}.mp4")
  text = path.read_text()
  assert text.count("<script") == 1
  assert f"<h1>{markupsafe.escape(name)}.mp4: seen or made?</h1>" in text


def test_frames_are_shown_as_what_they_are(page):
  for kind in ("observed", "synthesised", "held"):
    assert re.search(rf'class="{kind}">\s*<img', page)
  assert "Least sure around" in page


def test_it_says_what_was_made_and_what_it_cannot_know(slowed):
  facts = provenance.read(slowed / "out.mp4")
  words = report.in_words(facts)
  assert "4 times slower" in words
  assert "Of 80 frames, 20 were filmed" in words
  limits = " ".join(report.limits(facts))
  assert "what came and went between them is missing" in limits
  assert "frames are held" in limits
  assert "damaged" not in limits
  facts["damage"] = "damaged: cut"
  assert "damaged: cut" in " ".join(report.limits(facts))


def test_the_least_sure_moments_lie_apart(slowed):
  frames = provenance.read(slowed / "out.mp4")["frames"]
  times = np.arange(len(frames)) / 25
  chosen = report.least_sure(frames, times)
  assert len(chosen) == 4
  assert np.diff(times[chosen]).min() >= 0.5
  doubts = [f["worst"]["uncertainty"] for f in frames if "worst" in f]
  assert max(doubts) in [frames[n]["worst"]["uncertainty"] for n in chosen]


def test_without_its_json_a_video_is_refused(slowed):
  with pytest.raises(SpeedflowError, match=r"in\.mp4\.json"):
    report.write(slowed / "no.html", slowed / "in.mp4", slowed / "in.mp4")
  assert not (slowed / "no.html").exists()


def test_minterpolate_puts_given_frames_at_their_times():
  rng = np.random.default_rng(0)
  wide = rng.integers(0, 256, (12, 40, 3), np.uint8).repeat(4, 0).repeat(4, 1)
  images = [wide[:, 2 * k : 2 * k + 64] for k in range(8)]
  made = list(slow_motion.minterpolate(images, 4))
  assert len(made) >= 4 * (len(images) - 3)
  for given, kept in zip(images, made[::4], strict=False):
    assert np.abs(given.astype(int) - kept).mean() < 12
