"""Retimed videos, from file to file: pictures, sound, and what is refused."""

import json
from fractions import Fraction

import numpy as np
import pytest

from bench import timing_files
from bench.timing_files import Sound, Video, even
from speedflow import api, cli, media
from speedflow.errors import SpeedflowError
from speedflow.estimate import answer, witness
from speedflow.retime import sound
from speedflow.retime.curve import SpeedCurve
from speedflow.timewarp import light

_SHARP = {"exposure": 0.0}


@pytest.fixture(scope="module")
def flashing(tmp_path_factory):
  """A flash and a beep at each second of six."""
  path = tmp_path_factory.mktemp("retime") / "in.mp4"
  video = Video(even(25, 150), rate=Fraction(25))
  return timing_files.write(path, video, Sound(Fraction(6)))


@pytest.fixture(scope="module")
def moving(tmp_path_factory):
  """A bright bar that moves by two pixels a frame, 30 frames."""
  path = tmp_path_factory.mktemp("retime") / "bar.mp4"
  with media.VideoWriter(path, 25, (96, 32), crf=0) as writer:
    for number in range(30):
      image = np.full((32, 96, 3), 40, np.uint8)
      image[:, 10 + 2 * number : 18 + 2 * number] = 220
      writer.write(image)
  return path


def _frames(path):
  with media.VideoReader(path) as reader:
    return list(reader)


def _notes(path):
  return json.loads((path.parent / f"{path.name}.json").read_text())


def _off(out, curve):
  """How far each frame is from when it should be shown, seconds."""
  notes = _notes(out)["frames"]
  shown = np.array([float(Fraction(note["time"])) for note in notes])
  seen = np.array([float(Fraction(note["input_time"])) for note in notes])
  return np.abs(curve.output_s(seen) - shown).max()


_BEEP_OFF = {"stretch": 0.002, "resample": 0.001}


@pytest.mark.parametrize("audio", list(_BEEP_OFF))
@pytest.mark.parametrize("speed", [0.25, 1.7])
def test_picture_and_sound_stay_together(flashing, tmp_path, audio, speed):
  out = tmp_path / "out.mkv"
  options = {"speed": speed, "audio": audio, "shutter": 0, **_SHARP}
  made = api.retime(flashing, out, **options)
  assert made.duration_s == pytest.approx(6 / speed, abs=0.05)
  assert _off(out, SpeedCurve.constant(speed)) < 0.001
  beeps = timing_files.beep_times(media.read_audio(out))
  wanted = np.arange(6) / speed
  np.testing.assert_allclose(beeps, wanted, atol=_BEEP_OFF[audio])


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_beeps_keep_their_times_at_any_rate_of_sound(tmp_path, rate):
  path = tmp_path / "in.mp4"
  beeps = Sound(Fraction(4), rate=rate)
  timing_files.write(path, Video(even(25, 100), rate=Fraction(25)), beeps)
  blocks = sound.retimed(
    path,
    SpeedCurve.constant(0.5),
    "stretch",
    Fraction(0),
    Fraction(0),
    Fraction(8),
  )
  assert blocks is not None
  samples = np.concatenate([block.samples for block in blocks])
  # The first is there from the beginning.
  for second in (2, 4, 6):
    around = np.abs(samples[int((second - 1) * rate) : int(second * rate)])
    # The codec itself lets be heard a little of what follows.
    quiet = around[: -int(0.01 * rate)]
    assert quiet.max() < 0.1 * np.abs(samples).max()


@pytest.mark.parametrize("audio", list(_BEEP_OFF))
def test_along_a_ramp_they_stay_together(flashing, tmp_path, audio):
  ramp = tmp_path / "ramp.csv"
  ramp.write_text("time_s,speed\n0.5,1\n3,2\n5,0.5\n")
  out = tmp_path / "out.mkv"
  options = {"curve": ramp, "audio": audio, "shutter": 0, **_SHARP}
  api.retime(flashing, out, **options)
  curve = SpeedCurve(np.array([0.5, 3, 5]), np.array([1, 2, 0.5]))
  assert _off(out, curve) < 0.001
  beeps = timing_files.beep_times(media.read_audio(out))
  wanted = curve.output_s(np.arange(6.0))
  np.testing.assert_allclose(beeps, wanted, atol=_BEEP_OFF[audio])


def test_a_length_is_kept(flashing, tmp_path):
  out = tmp_path / "out.mp4"
  made = api.retime(flashing, out, duration=2.0, audio="drop", **_SHARP)
  assert made.duration_s == pytest.approx(2.0)
  assert len(_frames(out)) == 50
  assert media.read_audio(out) is None


def test_at_its_own_speed_every_frame_is_seen(moving, tmp_path):
  out = tmp_path / "out.mp4"
  made = api.retime(moving, out, speed=1.0, shutter=0, crf=0, **_SHARP)
  assert made.counts == {"observed": 30}
  for before, after in zip(_frames(moving), _frames(out), strict=True):
    assert before.time == after.time
    np.testing.assert_array_equal(before.image, after.image)


def test_half_speed_has_a_new_frame_between_each_two(moving, tmp_path):
  out = tmp_path / "out.mp4"
  made = api.retime(moving, out, speed=0.5, **_SHARP)
  # After the last frame nothing is made up; slower needs no more blur.
  assert made.counts == {"observed": 30, "synthesised": 29, "held": 1}


def test_faster_things_blur_as_a_shutter_would_see_them(moving, tmp_path):
  out = tmp_path / "out.mp4"
  api.retime(moving, out, speed=4.0, shutter=360, crf=0, **_SHARP)
  seen = [frame.image for frame in _frames(moving)]
  for number, frame in enumerate(_frames(out)[:-1]):
    four = seen[4 * number : 4 * number + 4]
    # The bar is wider than its step, so that these four are its mean, nearly.
    wanted = light.from_linear(np.mean([light.to_linear(i) for i in four], 0))
    off = np.abs(frame.image.astype(int) - wanted)
    assert off.mean() < 4
    sharp = np.abs(four[0].astype(int) - wanted)
    assert off.mean() < sharp.mean() / 2
  assert {note["kind"] for note in _notes(out)["frames"][:-1]} == {"averaged"}


def test_nothing_is_blurred_across_a_cut(tmp_path):
  path, out = tmp_path / "cut.mp4", tmp_path / "out.mp4"
  rng = np.random.default_rng(0)
  with media.VideoWriter(path, 25, (64, 48), crf=0) as writer:
    for shot in (0, 1):
      texture = rng.integers(0, 90, (48, 64, 3), np.uint8) + np.uint8(
        150 * shot
      )
      for number in range(10):
        writer.write(np.roll(texture, number, 1))
  api.retime(path, out, speed=3.0, shutter=360, crf=0, **_SHARP)
  means = [frame.image.mean() for frame in _frames(out)]
  assert all(mean < 70 or mean > 170 for mean in means)


def test_a_stopped_run_goes_on_to_the_same_bytes(moving, tmp_path, monkeypatch):
  from speedflow.superres import rendering

  monkeypatch.setattr(rendering, "_PIECE_FRAMES", (8, 8))

  class StopHereError(Exception):
    pass

  def stop(done):
    if done > 0.6:
      raise StopHereError

  options = {"speed": 0.6, **_SHARP}
  whole, stopped = tmp_path / "whole.mp4", tmp_path / "a" / "whole.mp4"
  api.retime(moving, whole, **options)
  stopped.parent.mkdir()
  with pytest.raises(StopHereError):
    api.retime(moving, stopped, on_progress=stop, **options)
  assert not stopped.exists()
  api.retime(moving, stopped, resume=True, **options)
  assert stopped.read_bytes() == whole.read_bytes()


def test_the_command_writes_a_page(moving, tmp_path, capsys):
  out, page = tmp_path / "out.mp4", tmp_path / "page.html"
  code = cli.main(
    [
      *("retime", str(moving), str(out), "--speed", "2", "--exposure", "0"),
      *("--report", str(page)),
    ]
  )
  assert code == 0
  assert "averaged" in capsys.readouterr().out
  text = page.read_text()
  assert "2 times as fast" in text
  assert "Speed over time" in text


@pytest.mark.parametrize(
  ("options", "said"),
  [
    ({}, "give one of --speed"),
    ({"speed": 2.0, "duration": 1.0}, "give one of --speed"),
    ({"speed": 100.0}, "0.015625 to 64"),
    ({"duration": 0.001}, "wants speeds of"),
    ({"speed": 2.0, "shutter": 400.0}, "0 to 360"),
    ({"speed": 2.0, "fps": 0.001}, "1 to 1000"),
    ({"speed": 2.0, "audio": "loud"}, "stretch, resample or drop"),
    ({"speed": 2.0, "crf": 70}, "0 .lossless. to 51"),
    ({"curve": "none.csv"}, "none.csv"),
  ],
  ids=str,
)
def test_a_wish_that_cannot_be_is_one_line(moving, tmp_path, options, said):
  out = tmp_path / "out.mp4"
  with pytest.raises(SpeedflowError, match=said) as caught:
    api.retime(moving, out, **(_SHARP | options))
  assert "\n" not in str(caught.value)
  assert not out.exists()


def test_a_speed_that_cannot_be_told_is_not_undone(tmp_path):
  path = tmp_path / "still.mp4"
  with media.VideoWriter(path, 25, (64, 48)) as writer:
    for _ in range(60):
      writer.write(np.full((48, 64, 3), 99, np.uint8))
  with pytest.raises(SpeedflowError, match=r"cannot be told .* give --speed"):
    api.retime(path, tmp_path / "out.mp4", real_time=True)


@pytest.mark.parametrize("speed", [0.5, 3.0])
def test_a_tone_keeps_its_pitch_or_moves_with_the_speed(tmp_path, speed):
  rate, tone = 16_000, 500.0
  path = tmp_path / "tone.mkv"
  times = np.arange(3 * rate) / rate
  wave = 0.3 * np.sin(2 * np.pi * tone * times).astype(np.float32)[:, None]
  with media.VideoWriter(
    path, 25, (32, 32), audio=media.Audio(wave, rate)
  ) as writer:
    for _ in range(75):
      writer.write(np.zeros((32, 32, 3), np.uint8))
  for mode, wanted in (("stretch", tone), ("resample", tone * speed)):
    found = sound.retimed(
      path,
      SpeedCurve.constant(speed),
      mode,
      Fraction(0),
      Fraction(0),
      Fraction(3) / Fraction(speed),
    )
    samples = np.concatenate([block.samples for block in found])[:, 0]
    assert len(samples) == round(3 / speed * rate)
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    peak = spectrum.argmax() * rate / len(middle)
    assert peak == pytest.approx(wanted, abs=2 * rate / len(middle))


def test_sound_that_outlasts_the_picture_is_said_to_be_left_out(
  tmp_path, capsys
):
  path = tmp_path / "longer.mp4"
  video = Video(even(25, 50), rate=Fraction(25))
  timing_files.write(path, video, Sound(Fraction(4)))
  out = tmp_path / "out.mp4"
  assert cli.main(["retime", str(path), str(out), "--speed", "2"]) == 0
  assert (
    "left out: 2 s of sound after the last frame" in capsys.readouterr().err
  )
  short = tmp_path / "short.mp4"
  timing_files.write(short, video, Sound(Fraction(2)))
  made = api.retime(short, tmp_path / "other.mp4", speed=2.0, **_SHARP)
  assert made.left_out == ()


def _told(*parts, **facts):
  """An estimate: of each part, seconds and the ends of its interval."""
  ends = np.cumsum([seconds for seconds, _, _ in parts])
  segments = tuple(
    answer.Segment(end - seconds, end, (low * high) ** 0.5, low, high)
    for end, (seconds, low, high) in zip(ends, parts, strict=True)
  )
  facts = {
    "speed": segments[0].speed,
    "speed_low": segments[0].speed_low,
    "speed_high": segments[0].speed_high,
  } | facts
  return answer.Estimate(
    "", "ok", duration_s=float(ends[-1]), segments=segments, **facts
  )


def _undone(moving, tmp_path, monkeypatch, found):
  monkeypatch.setattr(witness, "estimate", lambda *args, **more: found)
  out = tmp_path / "out.mp4"
  made = api.retime(moving, out, real_time=True, audio="drop", **_SHARP)
  return made.duration_s, _notes(out)["speed"]["speed"]


def test_real_time_undoes_the_parts_that_surely_differ(
  moving, tmp_path, monkeypatch
):
  found = _told((0.6, 0.45, 0.55), (0.6, 0.95, 1.05))
  took, speeds = _undone(moving, tmp_path, monkeypatch, found)
  assert speeds == pytest.approx([2.01, 1.0], abs=0.02)
  assert took == pytest.approx(0.9, abs=0.05)


def test_what_may_be_one_speed_is_undone_as_one(moving, tmp_path, monkeypatch):
  found = _told((0.6, 0.3, 0.7), (0.6, 0.4, 0.9), speed=0.5)
  _, speeds = _undone(moving, tmp_path, monkeypatch, found)
  assert speeds == [2.0]


def test_a_clock_is_surer_than_the_parts(moving, tmp_path, monkeypatch):
  exact = {"speed": 0.25, "speed_low": 0.249, "speed_high": 0.251}
  found = _told(
    (0.6, 0.3, 0.4), (0.6, 0.5, 0.9), clock="flicker", picture=None, **exact
  )
  _, speeds = _undone(moving, tmp_path, monkeypatch, found)
  assert speeds == [4.0]


def test_what_may_be_real_time_is_left_alone(moving, tmp_path, monkeypatch):
  found = _told((1.2, 0.8, 1.4))
  with pytest.raises(SpeedflowError, match=r"plays in real time.*--speed"):
    _undone(moving, tmp_path, monkeypatch, found)
