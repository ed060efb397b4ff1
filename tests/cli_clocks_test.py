"""Each clock through the command line, from files."""

import json

import numpy as np
import pytest

from speedflow import cli, media

_SIZE = 128, 96


def _texture(seed=0):
  rng = np.random.default_rng(seed)
  grey = rng.integers(60, 200, (24, 64)).repeat(4, axis=0).repeat(4, axis=1)
  return grey.astype(np.float64)


def _write(path, frames, fps, sound=None):
  with media.VideoWriter(path, fps, _SIZE, crf=18, audio=sound) as writer:
    for frame in frames:
      grey = np.clip(np.rint(frame), 0, 255).astype(np.uint8)
      writer.write(np.ascontiguousarray(np.stack([grey] * 3, axis=-1)))
  return str(path)


def _ask(verb, path, capsys):
  assert cli.main([verb, "--json", path]) == 0
  return json.loads(capsys.readouterr().out)


def _means(answer, clock, speed):
  (found,) = [c for c in answer["clocks"] if c["clock"] == clock]
  speeds = [mode["speed"] for mode in found["modes"]]
  return any(one == pytest.approx(speed, rel=0.01) for one in speeds)


@pytest.fixture(scope="module")
def hums(tmp_path_factory):
  """A still picture whose sound hums as 50 Hz mains do at 2x."""
  rate = 32_000
  time = np.arange(5 * rate) / rate
  rng = np.random.default_rng(0)
  sound = 0.01 * rng.normal(size=len(time))
  for order in (1, 2, 3, 4, 6):
    sound += 0.02 * np.sin(2 * np.pi * 100 * order * time + order)
  samples = sound[:, None].astype(np.float32)
  path = tmp_path_factory.mktemp("hums") / "hums.mp4"
  still = [_texture()[:, :128]] * 75
  return _write(path, still, 15, media.Audio(samples, rate))


@pytest.mark.parametrize("verb", ["detect", "estimate"])
def test_hum_is_heard(hums, verb, capsys):
  answer = _ask(verb, hums, capsys)
  assert _means(answer, "hum", 2.0)
  if verb == "detect":
    assert "the sound hums at" in answer["why"]


def test_flicker_is_seen(tmp_path, capsys):
  # 240 frames a second under lamps of 100 Hz, played at 30.
  waves = np.cos(2 * np.pi * 100 / 240 * np.arange(90))
  frames = [_texture()[:, :128] * (1 + 0.05 * wave) for wave in waves]
  path = _write(tmp_path / "slow.mp4", frames, 30)
  answer = _ask("estimate", path, capsys)
  assert _means(answer, "flicker", 0.125)


def test_cadence_is_seen(tmp_path, capsys):
  frames = [_texture()[:, 3 * (n // 2) :][:, :128] for n in range(80)]
  path = _write(tmp_path / "repeats.mp4", frames, 30)
  answer = _ask("detect", path, capsys)
  assert _means(answer, "cadence", 0.5)
  assert _means(answer, "cadence", 1.0)
  assert "1 of 2 frames are repeats" in answer["why"]


def test_a_file_without_clocks_says_so_by_silence(make_video, capsys):
  answer = _ask("estimate", str(make_video()), capsys)
  assert answer["clocks"] == []
  assert answer["clock"] is None
