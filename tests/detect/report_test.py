"""Pictures and pages of the evidence."""

import re

import numpy as np
import pytest
from matplotlib import image

from speedflow import media
from speedflow.detect import answer, plot, report

_RATE = 16_000


def _noise(seconds, highest_hz):
  """Noise up to a frequency; float32 [n, 1]."""
  count = round(seconds * _RATE)
  spectrum = np.fft.rfft(np.random.default_rng(0).normal(0, 0.1, count))
  spectrum[np.fft.rfftfreq(count, 1 / _RATE) > highest_hz] = 0
  return np.fft.irfft(spectrum, count)[:, None].astype(np.float32)


@pytest.fixture
def make_found(tmp_path):
  """make_found(name, sound): a file of 4 s, and an answer about it."""

  def make(name="a.mp4", sound=None, **fields):
    path = tmp_path / name
    with media.VideoWriter(path, 25, (64, 48), audio=sound) as writer:
      for k in range(100):
        writer.write(np.full((48, 64, 3), 2 * k, np.uint8))
    time_s = np.arange(100) / 25
    reading = answer.Reading(1.0, 0.8, 1.25)
    known = {
      "changes": (answer.Change(2.0, 0.97, 0.5, 0.49, 0.51, ("sound",)),),
      "curve": answer.Curve(time_s, np.exp(-((time_s - 2) ** 2))),
      "sound": answer.Sound("ok" if sound else "missing"),
      "verdict": "slowed_down",
      "why": "It is <slow>.",
      "probabilities": {"slowed_down": 0.9, "untouched": 0.1},
      "stretches": (
        answer.Stretch(0.0, 2.0, {"picture": reading, "sound": reading}),
        answer.Stretch(2.0, 4.0, {"picture": reading}),
      ),
    }
    return answer.Detection(str(path), "ok", **(known | fields))

  return make


@pytest.fixture
def falling():
  """Sound whose upper edge falls from 6 to 3 kHz after two seconds."""
  samples = np.concatenate([_noise(2, 6000), _noise(2, 3000)])
  return media.Audio(samples, _RATE)


def test_page_tells_verdict_evidence_and_limits(make_found, falling, tmp_path):
  page = tmp_path / "out.html"
  report.write(page, [make_found(sound=falling)])
  text = page.read_text()
  assert "It is &lt;slow&gt;." in text
  assert '<em class="slowed_down">slowed down</em>' in text
  assert "Around 2.00 s: 2 times slower (1.96-2.04), found by sound" in text
  assert "What it cannot know" in text
  # The whole video, and around the change, half of them after it.
  assert text.count("<figure") == 16
  assert text.count('class="after"') == 4


def test_page_refers_to_nothing_on_a_network(make_found, tmp_path):
  report.write(tmp_path / "out.html", [make_found("a b.mp4")])
  text = (tmp_path / "out.html").read_text()
  links = re.findall(r'(?:src|href|poster)="([^"]*)"', text)
  assert "a%20b.mp4" in links
  assert not [link for link in links if "//" in link[:64]]
  assert "@import" not in text and "url(" not in text


def test_page_tells_of_a_file_that_could_not_be_read(tmp_path):
  failed = answer.Detection.failed("<b>.mp4", "<b>.mp4: is empty")
  report.write(tmp_path / "out.html", [failed])
  text = (tmp_path / "out.html").read_text()
  assert "&lt;b&gt;.mp4: is empty" in text
  assert "<b>.mp4" not in text


@pytest.mark.parametrize(
  ("status", "words"),
  [("missing", "no sound"), ("silent", "silent"), ("music", "music")],
)
def test_limits_name_what_sound_could_not_tell(status, words):
  told = report.limits(
    answer.Detection("a.mp4", "ok", sound=answer.Sound(status))
  )
  assert any(words in sentence for sentence in told)


def test_picture_shows_all_files(make_found, falling, tmp_path):
  path = tmp_path / "out.png"
  failed = answer.Detection.failed("b.mp4", "b.mp4: is empty")
  plot.write_picture(path, [make_found(sound=falling), failed])
  assert image.imread(path).ndim == 3


def test_edge_of_the_spectrogram_follows_the_sound(make_found, falling):
  sound = plot.spectrogram(make_found(sound=falling).file)
  times = np.linspace(sound.start_s, sound.end_s, len(sound.decibels))
  for inside, expected in ((times < 1.8, 6000), (times > 2.2, 3000)):
    assert np.median(sound.edge_hz[inside]) == pytest.approx(expected, rel=0.1)


def test_spectrogram_of_long_sound_stays_small(tmp_path):
  path = tmp_path / "long.mkv"
  sound = media.Audio(_noise(60, 4000), _RATE, start_s=5.0)
  with media.VideoWriter(path, 1, (64, 48), audio=sound) as writer:
    for _ in range(70):
      writer.write(np.zeros((48, 64, 3), np.uint8))
  found = plot.spectrogram(path)
  assert 1000 < len(found.decibels) < 2500
  assert found.start_s == pytest.approx(5, abs=0.1)
  assert found.end_s == pytest.approx(65, abs=0.2)


def test_file_without_sound_has_no_spectrogram(make_video):
  assert plot.spectrogram(make_video()) is None
