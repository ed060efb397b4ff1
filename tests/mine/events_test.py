"""Mining changes of speed by ear."""

import logging

import numpy as np
import pytest

from speedflow import media
from speedflow.data import catalogue, records
from speedflow.errors import SpeedflowError
from speedflow.mine import events
from speedflow.timewarp import audio as audio_speed

_RATE = 44_100


def _noise(seconds: float) -> np.ndarray:
  rng = np.random.default_rng(0)
  n = round(seconds * _RATE)
  spectrum = np.fft.rfft(rng.normal(size=n))
  hz = np.fft.rfftfreq(n, 1 / _RATE)
  spectrum *= (hz < 15_000) / np.sqrt(hz + 300)
  noise = np.fft.irfft(spectrum, n)[:, None]
  return (0.1 * noise / noise.std()).astype(np.float32)


@pytest.fixture
def slowed(tmp_path):
  """A video whose sound plays at half speed from 2 s on."""
  slow = audio_speed.change_speed(_noise(1.5), _RATE, 0.5)
  audio = media.Audio(np.concatenate([_noise(2.0), slow]), _RATE)
  path = tmp_path / "videos" / "slowed.mp4"
  path.parent.mkdir()
  with media.VideoWriter(path, 25, (64, 48), audio=audio) as writer:
    for _ in range(125):
      writer.write(np.zeros((48, 64, 3), np.uint8))
  return path


def test_events_come_with_the_shots_that_hold_them(slowed):
  spans = [
    events.ShotSpan(0.0, 1.0, "slowed/0/0"),
    events.ShotSpan(1.04, 4.96, "slowed/1/0"),
  ]
  clip = catalogue.Clip(name="slowed", path=str(slowed))
  status, (event,) = events.listen(clip, spans, 0.5)
  assert status == "ok"
  assert event.time_s == pytest.approx(2.0, abs=0.1)
  assert event.ratio == pytest.approx(0.5, rel=0.05)
  assert event.shots == ("slowed/1/0",)


def test_a_moment_at_a_cut_is_in_no_shot():
  spans = [events.ShotSpan(0.0, 1.0, "a"), events.ShotSpan(1.04, 2.0, "b")]
  assert events.shots_at(spans, 0.5) == ("a",)
  assert events.shots_at(spans, 1.02) == ()
  assert events.shots_at(spans, 1.04) == ("b",)
  assert events.shots_at(spans, 2.5) == ()
  assert events.shots_at([], 0.5) == ()


def test_events_survive_encoding():
  event = events.SpeedChangeEvent(
    file="a/ü.mp4",
    clip="ü",
    time_s=1.5,
    ratio=0.5,
    ratio_low=0.25,
    ratio_high=0.75,
    probability=0.875,
    shots=("ü/0/0", "ü/0/1"),
  )
  assert events.SpeedChangeEvent.decode(event.encode()) == event


def test_other_records_are_no_events():
  with pytest.raises(SpeedflowError, match="not a speed change"):
    events.SpeedChangeEvent.decode(b"\x0a\x00")


def test_a_bad_file_costs_one_counter(slowed, make_video, tmp_path, caplog):
  slowed.with_name("broken.mp4").write_bytes(b"no video at all")
  make_video("videos/mute.mp4")
  out = tmp_path / "events"
  with caplog.at_level(logging.WARNING):
    report = events.mine(slowed.parent, out)
  assert report == events.MiningReport(
    files=3, unreadable=1, missing=1, events=1
  )
  assert "broken.mp4" in caplog.text
  (path,) = out.glob("speed_changes.tfrecord-*")
  (encoded,) = records.read_records(path)
  event = events.SpeedChangeEvent.decode(encoded)
  assert event.file.endswith("slowed.mp4")


def test_spans_are_read_from_shot_records(records_root):
  paths = sorted((records_root / "records" / "clips").glob("*.tfrecord-*"))
  spans = events.shot_spans(paths)
  (span,) = spans["scene0"]
  assert span.id == "scene0/0/0"
  assert (span.start_s, span.end_s) == pytest.approx((0.0, 99 / 30), abs=0.05)
