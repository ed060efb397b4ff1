"""Finding changes of speed in sound that is calculated."""

import dataclasses

import numpy as np
import pytest
from scipy import signal

from experiments.sound_speed import protocol
from speedflow import media
from speedflow.sound import changes
from speedflow.timewarp import audio as audio_speed

_RATE = 44_100


def _scene(
  seconds: float, rate: int = _RATE, channels: int = 1, seed: int = 0
) -> np.ndarray:
  """A room: noise that falls with frequency up to an edge, hum, and knocks."""
  rng = np.random.default_rng(seed)
  n = round(seconds * rate)
  edge = min(15_000, 0.4 * rate)
  hz = [0, 150, 600, 0.3 * edge, 0.5 * edge, edge, 1.02 * edge, rate / 2]
  taps = signal.firwin2(1023, hz, [1, 1, 0.3, 0.4, 0.1, 0.08, 0, 0], fs=rate)
  noise = signal.fftconvolve(rng.normal(size=n), taps, mode="same")
  time = np.arange(n) / rate
  hum = sum(np.sin(2 * np.pi * 50 * k * time) / k for k in (3, 5, 9))
  knocks = np.zeros(n)
  for begin in rng.integers(0, n, round(2 * seconds)):
    ring = np.exp(-40 * time[: n - begin]) * np.sin(
      2 * np.pi * rng.uniform(400, 2_000) * time[: n - begin]
    )
    knocks[begin:] += ring
  scene = 0.05 * noise + 0.01 * hum + 0.1 * knocks
  return np.tile(scene[:, None], channels).astype(np.float32)


def _changed(
  ratio: float, before_s: float = 2.5, after_s: float = 2.5, **scene
) -> media.Audio:
  """Speed 1, and from `before_s` on another one."""
  whole = _scene(before_s + after_s * ratio, **scene)
  rate = scene.get("rate", _RATE)
  cut = round(before_s * rate)
  fast = audio_speed.change_speed(whole[cut:], rate, ratio)
  return media.Audio(np.concatenate([whole[:cut], fast]), rate)


def _blocks(audio: media.Audio, seconds: float = 1.0) -> list[media.Audio]:
  size = round(seconds * audio.rate)
  return [
    dataclasses.replace(
      audio,
      samples=audio.samples[i : i + size],
      start_s=audio.start_s + i / audio.rate,
    )
    for i in range(0, len(audio.samples), size)
  ]


@pytest.mark.parametrize("ratio", [0.25, 0.5, 2 / 3, 1.5, 2.0, 4.0])
def test_finds_time_and_ratio(ratio):
  (change,) = changes.find_changes([_changed(ratio)]).changes
  assert change.time_s == pytest.approx(2.5, abs=0.1)
  assert change.ratio == pytest.approx(ratio, rel=0.05)
  assert change.ratio_low <= change.ratio <= change.ratio_high
  assert 0.5 <= change.probability <= 1


def test_blocks_join_without_a_seam():
  audio = _changed(0.5)
  (whole,) = changes.find_changes([audio]).changes
  for seconds in (0.01, 0.7, 2.5):
    found = changes.find_changes(_blocks(audio, seconds))
    (change,) = found.changes
    assert dataclasses.astuple(change) == pytest.approx(
      dataclasses.astuple(whole), rel=1e-4
    )
    assert found.duration_s == pytest.approx(audio.duration_s)


def test_times_are_on_the_clock_of_the_file():
  audio = _changed(0.5)
  late = dataclasses.replace(audio, start_s=3.25)
  (change,) = changes.find_changes(_blocks(late)).changes
  assert change.time_s == pytest.approx(5.75, abs=0.1)


@pytest.mark.parametrize(
  ("rate", "channels"), [(8_000, 1), (16_000, 2), (48_000, 6), (96_000, 1)]
)
def test_any_rate_and_number_of_channels(rate, channels):
  audio = _changed(0.5, rate=rate, channels=channels)
  (change,) = changes.find_changes(_blocks(audio)).changes
  assert change.time_s == pytest.approx(2.5, abs=0.1)
  assert change.ratio == pytest.approx(0.5, rel=0.05)


def test_sound_that_stops_being_finite_is_silence_from_there():
  audio = _changed(0.5)
  audio.samples[round(4.0 * _RATE) :] = np.nan
  (change,) = changes.find_changes(_blocks(audio)).changes
  assert change.time_s == pytest.approx(2.5, abs=0.1)


@pytest.mark.parametrize(
  "samples",
  [np.zeros((0, 1)), np.zeros((100, 2)), np.zeros((3 * _RATE, 1))],
  ids=["none", "short", "zeros"],
)
def test_silence_says_so_and_changes_nothing(samples):
  found = changes.find_changes([media.Audio(samples.astype("f4"), _RATE)])
  assert (found.status, found.changes) == ("silent", ())
  assert found.duration_s == len(samples) / _RATE


def test_no_blocks_are_silence():
  assert changes.find_changes([]) == changes.SoundChanges((), "silent", 0.0)


def test_steady_sound_has_no_change():
  assert changes.find_changes([media.Audio(_scene(8.0), _RATE)]).changes == ()


def test_sound_that_sets_in_or_stops_is_no_change():
  scene = _scene(6.0)
  scene[: 2 * _RATE] = scene[4 * _RATE :] = 0
  assert changes.find_changes([media.Audio(scene, _RATE)]).changes == ()


def test_a_low_pass_that_comes_and_goes_is_no_change():
  scene = _scene(6.0)
  taps = signal.firwin(401, 6_000, fs=_RATE)
  dull = signal.fftconvolve(scene, taps[:, None], mode="same")
  scene[2 * _RATE : 4 * _RATE] = dull[2 * _RATE : 4 * _RATE]
  assert changes.find_changes([media.Audio(scene, _RATE)]).changes == ()


def test_a_jump_of_level_is_no_change():
  scene = _scene(6.0)
  scene[3 * _RATE :] *= 0.2
  assert changes.find_changes([media.Audio(scene, _RATE)]).changes == ()


def test_music_that_sets_in_is_no_change_and_is_told():
  bed = protocol.music(6.0, _RATE, np.random.default_rng(0))
  scene = _scene(6.0)
  scene[2 * _RATE :, 0] += 0.2 * bed[: 4 * _RATE]
  found = changes.find_changes([media.Audio(scene, _RATE)])
  assert (found.status, found.changes) == ("music", ())


def test_several_changes_are_told_apart():
  whole = _scene(8.0)
  parts = [whole[: 2 * _RATE], whole[2 * _RATE : 4 * _RATE], whole[4 * _RATE :]]
  parts[1] = audio_speed.change_speed(parts[1], _RATE, 0.5)
  audio = media.Audio(np.concatenate(parts), _RATE)
  slow, fast = changes.find_changes([audio]).changes
  assert (slow.time_s, fast.time_s) == pytest.approx((2.0, 6.0), abs=0.1)
  assert (slow.ratio, fast.ratio) == pytest.approx((0.5, 2.0), rel=0.05)


@pytest.mark.slow
def test_long_sound_is_judged_in_parts_without_a_gap():
  # Parts are 30 s long: one change near the seam, one well after it.
  long = _scene(40.0)
  cuts = (round(29.5 * _RATE), round(34.5 * _RATE))
  slow = audio_speed.change_speed(long[cuts[0] : cuts[1]], _RATE, 0.5)
  joined = np.concatenate([long[: cuts[0]], slow, long[cuts[1] :]])
  found = changes.find_changes(_blocks(media.Audio(joined, _RATE), 10.0))
  times = [change.time_s for change in found.changes]
  assert times == pytest.approx([29.5, 39.5], abs=0.1)
