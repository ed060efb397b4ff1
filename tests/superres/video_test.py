"""Slowing down whole files: which frames, at which times, with which sound."""

import json
import os
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from speedflow import api, media
from speedflow.errors import SpeedflowError
from speedflow.superres import marker


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


def _read(path, pixel_format="rgb24"):
  with media.VideoReader(path, pixel_format=pixel_format) as reader:
    frames = list(reader)
    return frames, reader.info


def _notes(path):
  with open(f"{path}.json") as file:
    return json.load(file)["frames"]


def _slow(clip, out, weights, **options):
  options = {"exposure": 0.0, "crf": 0} | options
  return api.superres(clip, out, weights=weights, **options)


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


def test_time_begins_with_the_picture_or_the_sound(tmp_path, scene, weights):
  rate = 16000
  noise = np.random.default_rng(0).normal(0, 0.1, (rate // 2, 1))
  clip = _write(
    tmp_path / "late.mp4",
    [scene(0, 4 * k) for k in range(10)],
    times=[10 + Fraction(k, 25) for k in range(10)],
    time_base=Fraction(1, 1000),
    audio=media.Audio(noise.astype(np.float32), rate, 10.2),
  )
  _slow(clip, tmp_path / "out.mp4", weights, slow=True)
  frames, _ = _read(tmp_path / "out.mp4")
  assert frames[0].time == 0
  sound = media.read_audio(tmp_path / "out.mp4")
  power = sound.samples[:, 0] ** 2
  times = sound.start_s + np.arange(len(power)) / sound.rate
  # Its middle was 0.45 seconds after the first picture.
  assert (power * times).sum() / power.sum() == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize("slow", [False, True])
def test_the_length_is_exact(clip, tmp_path, weights, slow):
  _slow(clip, tmp_path / "out.mp4", weights, factor=3, slow=slow)
  wanted = 0.4 * (3 if slow else 1)
  assert media.probe(tmp_path / "out.mp4").duration_s == pytest.approx(wanted)


def test_played_backwards_it_is_the_same(tmp_path, scene, weights):
  images = [scene(0, k * k) for k in range(6)]
  made = []
  for name, given in (("a", images), ("b", images[::-1])):
    clip = _write(tmp_path / f"{name}.mp4", given)
    _slow(clip, tmp_path / f"{name}_out.mp4", weights)
    made.append([f.image for f in _read(tmp_path / f"{name}_out.mp4")[0][:-1]])
  for there, back in zip(made[0], made[1][::-1], strict=True):
    assert np.abs(there.astype(int) - back).mean() < 1.0


def test_an_overlay_does_not_wobble(tmp_path, scene, weights):
  images = [scene(0, 5 * k).copy() for k in range(8)]
  for image in images:
    image[14:36, 12:52] = (20, 20, 90)
    cv2.putText(image, "2:1", (14, 32), 0, 0.55, (240, 240, 200), 1)
  clip = _write(tmp_path / "in.mp4", images)
  _slow(clip, tmp_path / "out.mp4", weights, factor=4)
  shown = [f.image[16:34, 14:50].astype(int) for f in _read(clip)[0]]
  made = [f.image for f in _read(tmp_path / "out.mp4")[0]]
  wobble = [np.abs(m[16:34, 14:50] - shown[0]).mean() for m in made]
  filmed = [np.abs(s - shown[0]).mean() for s in shown]
  # Of contrasts of up to 220 grey levels.
  assert max(wobble) < max(filmed) + 2.0


def test_ten_bits_go_in_and_out(tmp_path, scene, weights):
  images = [scene(0, 3 * k).astype(np.uint16) * 257 + 77 for k in range(4)]
  clip = _write(tmp_path / "in.mp4", images, pixel_format="yuv422p10le")
  _slow(clip, tmp_path / "out.mp4", weights)
  assert media.probe(tmp_path / "out.mp4").pixel_format == "yuv422p10le"
  before, after = (
    [f.image.astype(int) for f in _read(path, "rgb48le")[0]]
    for path in (clip, tmp_path / "out.mp4")
  )
  for given, kept in zip(before, after[::2], strict=True):
    # A step of 8 bits is 257 wide.
    assert abs((given - kept).mean()) < 30
  # What is made has steps as fine.
  assert len(np.unique(after[1][..., 1])) > 256


def _disc(x, opacity=255):
  image = np.zeros((48, 64, 4), np.uint8)
  cv2.circle(image, (x, 24), 9, (200, 40, 40, opacity), -1, cv2.LINE_AA)
  return image


def test_transparency_goes_along(tmp_path, weights):
  images = [_disc(12 + 6 * k) for k in range(6)]
  clip = _write(tmp_path / "in.mov", images, pixel_format="rgba")
  _slow(clip, tmp_path / "out.mov", weights)
  frames, info = _read(tmp_path / "out.mov", "rgba")
  assert info.has_alpha
  alpha = frames[5].image[..., 3].astype(float)
  middle = (alpha.sum(0) * np.arange(64)).sum() / alpha.sum()
  assert middle == pytest.approx(12 + 6 * 2.5, abs=0.7)
  inside = frames[5].image[alpha > 250]
  np.testing.assert_allclose(
    inside[:, :3] - np.array([200.0, 40, 40]), 0, atol=12
  )


def test_transparency_that_does_not_fit_is_refused(tmp_path, weights):
  images = [_disc(12 + 6 * k) for k in range(4)]
  clip = _write(tmp_path / "in.mov", images, pixel_format="rgba")
  with pytest.raises(SpeedflowError, match=r"\.mov or \.mkv"):
    _slow(clip, tmp_path / "out.mp4", weights, crf=14)
  assert os.listdir(tmp_path) == ["in.mov"]


def test_what_is_opaque_throughout_fits_everywhere(tmp_path, scene, weights):
  full = np.full((48, 64, 1), 255, np.uint8)
  images = [np.dstack([scene(0, 4 * k), full]) for k in range(4)]
  clip = _write(tmp_path / "in.mov", images, pixel_format="rgba")
  _slow(clip, tmp_path / "out.mp4", weights, crf=14)
  assert not media.probe(tmp_path / "out.mp4").has_alpha


@pytest.mark.parametrize(
  "colour",
  [
    media.Colour(9, 9, 16, full_range=False),
    media.Colour(5, 2, 2, full_range=True),
  ],
)
def test_colours_are_coded_as_they_were(tmp_path, scene, weights, colour):
  images = [scene(0, 3 * k) for k in range(4)]
  clip = _write(tmp_path / "in.mp4", images, colour=colour)
  _slow(clip, tmp_path / "out.mp4", weights)
  assert media.probe(tmp_path / "out.mp4").colour == colour
  for given, kept in zip(
    _read(clip)[0], _read(tmp_path / "out.mp4")[0][::2], strict=True
  ):
    assert abs((given.image.astype(int) - kept.image).mean()) < 0.5


def test_a_turned_video_stays_upright(tmp_path, scene, weights):
  path = tmp_path / "turned.mp4"
  with av.open(str(path), "w") as container:
    stream = container.add_stream("libx264", rate=25, options={"crf": "4"})
    stream.width, stream.height, stream.pix_fmt = 48, 64, "yuv420p"
    stream.set_display_rotation(-90)
    for k in range(4):
      # Stored lying, shown standing.
      stored = np.ascontiguousarray(np.rot90(scene(0, 4 * k)))
      container.mux(stream.encode(av.VideoFrame.from_ndarray(stored, "rgb24")))
    container.mux(stream.encode(None))
  _slow(path, tmp_path / "out.mp4", weights)
  frames, info = _read(tmp_path / "out.mp4")
  assert (info.width, info.height, info.rotation) == (64, 48, 0)
  for given, kept in zip(_read(path)[0], frames[::2], strict=True):
    assert np.abs(given.image.astype(int) - kept.image).mean() < 4


def test_a_damaged_file_is_slowed_up_to_there(tmp_path, scene, weights):
  clip = _write(tmp_path / "in.mkv", [scene(0, 4 * k) for k in range(60)])
  clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
  made = _slow(clip, tmp_path / "out.mp4", weights)
  assert "damaged" in made.damage
  with open(tmp_path / "out.mp4.json") as file:
    assert json.load(file)["damage"] == made.damage
  assert 10 < len(_read(tmp_path / "out.mp4")[0]) < 120


def test_a_mark_can_be_burnt_in(clip, tmp_path, weights):
  _slow(clip, tmp_path / "out.mp4", weights, mark=True)
  frames, _ = _read(tmp_path / "out.mp4")
  orange = np.array(marker.COLOURS["synthesised"])
  corners = [np.abs(f.image[40:46, 2] - orange).mean() for f in frames]
  assert max(corners[1:18:2]) < 20 < min(corners[0:20:2])


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
    _slow(clip, tmp_path / "out.mp4", "nowhere.safetensors")
