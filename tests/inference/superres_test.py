"""Slowing down whole files: which frames, at which times, with which sound."""

import json
import os
from fractions import Fraction

import cv2
import numpy as np
import pytest

from speedflow import media
from speedflow.errors import SpeedflowError
from speedflow.inference import superres as superres_lib


@pytest.fixture
def weights(untrained_weights):
  return untrained_weights


@pytest.fixture(scope="module")
def scene():
  """scene(seed, x): the view of a wide texture from x on, 48 x 64."""

  def look(seed, x, size=(48, 64)):
    rng = np.random.default_rng(seed)
    wide = rng.integers(0, 256, (size[0], 400, 3), np.uint8)
    wide = cv2.GaussianBlur(wide, (0, 0), 2.5)
    wide = cv2.normalize(wide, None, 0, 255, cv2.NORM_MINMAX)
    # Of soft colours: files keep a quarter of the colours only.
    wide = wide // 4 + wide[..., :1] // 4 * 3
    if seed % 2:
      wide = wide // 4
    return np.ascontiguousarray(wide[:, x : x + size[1]])

  return look


def _write(path, images, fps=25, times=None, **options):
  size = images[0].shape[1::-1]
  with media.VideoWriter(path, fps, size, crf=0, **options) as writer:
    for k, image in enumerate(images):
      writer.write(image, None if times is None else times[k])
  return path


def _read(path):
  with media.VideoReader(path) as reader:
    frames = list(reader)
    return frames, reader.info


def _notes(path):
  with open(f"{path}.json") as file:
    return json.load(file)["frames"]


def _slow(clip, out, weights, **options):
  options = {"exposure": 0.0, "crf": 0} | options
  return superres_lib.superres(clip, out, weights=weights, **options)


@pytest.fixture
def clip(tmp_path, scene):
  images = [scene(0, 4 * k) for k in range(10)]
  return _write(tmp_path / "in.mp4", images)


def test_inputs_keep_their_times_and_the_length_is_exact(
  clip, tmp_path, weights
):
  out = tmp_path / "out.mp4"
  made = _slow(clip, out, weights, factor=4)
  frames, info = _read(out)
  assert info.fps == made.fps == 100
  assert [f.time for f in frames] == [Fraction(k, 100) for k in range(40)]
  for given, kept in zip(_read(clip)[0], frames[::4], strict=True):
    assert given.time == kept.time
    # Through the colour conversion of the file once more.
    assert np.abs(given.image.astype(int) - kept.image).mean() < 1.5


def test_between_inputs_things_move_evenly(clip, tmp_path, weights, scene):
  _slow(clip, tmp_path / "out.mp4", weights, factor=2)
  frames, _ = _read(tmp_path / "out.mp4")
  wanted = scene(0, 4 * 3 + 2).astype(float)
  inner = np.s_[:, 8:-8]
  assert np.abs(frames[7].image[inner] - wanted[inner]).mean() < 6


def test_slow_motion_keeps_the_rate(clip, tmp_path, weights):
  made = _slow(clip, tmp_path / "out.mp4", weights, factor=3, slow=True)
  frames, info = _read(tmp_path / "out.mp4")
  assert info.fps == 25
  assert made.slowdown == 3
  assert [f.time for f in frames] == [Fraction(k, 25) for k in range(30)]


def test_any_rate_can_be_asked_for(clip, tmp_path, weights):
  rate = Fraction(60000, 1001)
  _slow(clip, tmp_path / "out.mp4", weights, fps=rate)
  frames, info = _read(tmp_path / "out.mp4")
  assert info.fps == rate
  # All that begin within the 0.4 seconds of the input.
  assert [f.time for f in frames] == [k / rate for k in range(24)]


def test_the_sidecar_tells_the_observed_from_the_synthesised(
  clip, tmp_path, weights
):
  _slow(clip, tmp_path / "out.mp4", weights, factor=2)
  notes = _notes(tmp_path / "out.mp4")
  kinds = [note["kind"] for note in notes]
  assert kinds == ["observed", "synthesised"] * 9 + ["observed", "held"]
  assert notes[3]["sources"] == [1, 2]
  assert notes[3]["uncertainty"] > 0
  assert notes[2]["uncertainty"] == 0
  assert Fraction(notes[3]["time"]) == Fraction(3, 50)


def test_blurred_inputs_are_restored(clip, tmp_path, weights):
  _slow(clip, tmp_path / "out.mp4", weights, factor=2, exposure=0.8)
  kinds = {note["kind"] for note in _notes(tmp_path / "out.mp4")[:-1]}
  assert kinds == {"restored", "synthesised"}


def test_a_cut_stays_a_cut(tmp_path, scene, weights):
  images = [scene(0, k) for k in range(15)]
  images += [scene(1, k) for k in range(15)]
  clip = _write(tmp_path / "in.mp4", images)
  _slow(clip, tmp_path / "out.mp4", weights, factor=4)
  frames, _ = _read(tmp_path / "out.mp4")
  notes = _notes(tmp_path / "out.mp4")
  assert [n["kind"] for n in notes[56:61]] == [
    "observed", *["held"] * 3, "observed",
  ]  # fmt: skip
  before, held, after = (frames[k].image.astype(int) for k in (56, 59, 60))
  assert np.abs(held - before).mean() < 1.5
  assert np.abs(held - after).mean() > 20


def test_repeated_frames_are_replaced(tmp_path, scene, weights):
  images = [scene(0, 8 * (k // 2)) for k in range(20)]
  clip = _write(tmp_path / "in.mp4", images)
  _slow(clip, tmp_path / "out.mp4", weights, factor=2)
  frames, _ = _read(tmp_path / "out.mp4")
  notes = _notes(tmp_path / "out.mp4")
  assert notes[10]["kind"] == "synthesised"  # Frame 5, which repeats frame 4.
  wanted = scene(0, 20).astype(float)
  inner = np.s_[:, 10:-10]
  assert np.abs(frames[10].image[inner] - wanted[inner]).mean() < 8


def test_a_variable_rate_is_kept(tmp_path, scene, weights):
  times = [Fraction(t, 100) for t in (0, 4, 8, 16, 20, 32, 36, 40)]
  clip = _write(
    tmp_path / "in.mp4",
    [scene(0, int(100 * t)) for t in times],
    times=times,
    time_base=Fraction(1, 100),
  )
  _slow(clip, tmp_path / "out.mp4", weights, factor=2)
  made = [frame.time for frame in _read(tmp_path / "out.mp4")[0]]
  assert made[::2] == times
  assert made[5] == Fraction(12, 100)


def test_odd_sizes_are_kept(tmp_path, scene, weights):
  images = [scene(0, 3 * k, size=(47, 61)) for k in range(4)]
  clip = _write(tmp_path / "in.mp4", images)
  _slow(clip, tmp_path / "out.mp4", weights, factor=2)
  frames, _ = _read(tmp_path / "out.mp4")
  assert {frame.image.shape for frame in frames} == {(47, 61, 3)}


@pytest.fixture
def talkie(tmp_path, scene):
  rate = 16000
  tone = np.sin(np.arange(rate * 2) * 2 * np.pi * 440 / rate)
  return _write(
    tmp_path / "talk.mp4",
    [scene(0, 4 * k) for k in range(50)],
    audio=media.Audio(tone.astype(np.float32)[:, None] * 0.5, rate),
  )


def _pitch(audio):
  spectrum = np.abs(np.fft.rfft(audio.samples[:, 0]))
  return spectrum.argmax() * audio.rate / len(audio.samples)


@pytest.mark.parametrize(
  ("slow", "audio", "seconds"),
  [(False, None, 2), (True, None, 4), (True, "keep", 2)],
)
def test_sound_goes_with_the_picture_at_its_own_pitch(
  talkie, tmp_path, weights, slow, audio, seconds
):
  _slow(talkie, tmp_path / "out.mp4", weights, slow=slow, audio=audio)
  sound = media.read_audio(tmp_path / "out.mp4")
  assert sound.duration_s == pytest.approx(seconds, abs=0.1)
  assert _pitch(sound) == pytest.approx(440, rel=0.02)


def test_sound_can_be_dropped(talkie, tmp_path, weights):
  _slow(talkie, tmp_path / "out.mp4", weights, audio="drop")
  assert media.read_audio(tmp_path / "out.mp4") is None


def test_progress_rises_to_one(clip, tmp_path, weights):
  told = []
  _slow(clip, tmp_path / "out.mp4", weights, on_progress=told.append)
  assert told == sorted(told)
  assert told[-1] == 1.0


@pytest.mark.parametrize(
  ("options", "wanted"),
  [
    ({"factor": 1}, "--factor is 1; wanted 2 to 64"),
    ({"factor": 2, "fps": 60}, "not both"),
    ({"fps": 0}, "--fps is 0"),
    ({"fps": 100_000}, "at most 64 times"),
    ({"exposure": 1.5}, "--exposure is 1.5"),
    ({"crf": 60}, "--crf is 60"),
  ],
)
def test_settings_that_make_no_sense_are_refused(
  clip, tmp_path, weights, options, wanted
):
  with pytest.raises(SpeedflowError, match=wanted):
    _slow(clip, tmp_path / "out.mp4", weights, **options)
  assert os.listdir(tmp_path) == ["in.mp4"]


def test_the_input_is_never_overwritten(clip, weights):
  with pytest.raises(SpeedflowError, match="one file"):
    _slow(clip, clip, weights)


def test_what_is_no_video_is_refused(tmp_path, weights):
  path = tmp_path / "a.mp4"
  path.write_bytes(b"no video")
  with pytest.raises(SpeedflowError, match=r"a\.mp4"):
    _slow(path, tmp_path / "out.mp4", weights)


def test_unknown_weights_are_named(clip, tmp_path):
  with pytest.raises(SpeedflowError, match="nowhere"):
    _slow(clip, tmp_path / "out.mp4", "nowhere.npz")
