"""`speedflow detect`, from files to verdicts."""

import json

import cv2
import numpy as np
import pytest
from matplotlib import image

from speedflow import cli, media
from speedflow.demo import changes, clips
from speedflow.detect import answer as detect_lib
from speedflow.detect import detector as detector_lib
from speedflow.timewarp import audio

_KEYS = {
  "file",
  "status",
  "error",
  "damage",
  "changes",
  "curve",
  "sound",
  "verdict",
  "why",
  "declared",
  "findings",
  "clocks",
}
_CHANGE_S = 4.0


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
  """Files by what was done to them."""
  return changes.write_examples(tmp_path_factory.mktemp("examples"))


@pytest.fixture(scope="module")
def still(tmp_path_factory):
  """still(name, sound, seconds=4): a picture that tells nothing, with sound."""
  folder = tmp_path_factory.mktemp("still")

  def make(name, sound, seconds=4):
    path = folder / name
    with media.VideoWriter(path, 25, (64, 48), audio=sound) as writer:
      for _ in range(25 * seconds):
        writer.write(np.full((48, 64, 3), 90, np.uint8))
    return path

  return make


@pytest.fixture
def detect(capsys):
  """detect(*files): the answers, by way of the command."""

  def run(*files):
    assert cli.main(["detect", "--json", *map(str, files)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

  return run


def _spliced_sound(at_s=2.0, factor=2.0, start_s=0.0):
  """Sound of 4 s that was played faster from some time on."""
  sound = changes.calculated_sound(2 + 2 * factor)
  middle = round(at_s * sound.rate)
  faster = audio.change_speed(sound.samples[middle:], sound.rate, factor)
  samples = np.concatenate([sound.samples[:middle], faster])
  return media.Audio(samples, sound.rate, start_s)


def test_spliced_clip_is_found_out_by_picture_and_sound(examples, detect):
  (answer,) = detect(examples["twice as fast from 4 s on"])
  assert set(answer) == _KEYS
  (change,) = answer["changes"]
  assert change["time_s"] == pytest.approx(_CHANGE_S, abs=0.1)
  assert change["ratio_low"] <= change["ratio"] <= change["ratio_high"]
  assert change["ratio"] == pytest.approx(2, rel=0.1)
  assert "sound" in change["seen_by"]
  assert answer["sound"]["status"] == "ok"
  assert answer["verdict"] == "sped_up"
  assert "at 4.0 s" in answer["why"]


def test_curve_covers_the_picture_frame_by_frame(examples, detect):
  path = examples["untouched"]
  (answer,) = detect(path)
  times = answer["curve"]["time_s"]
  assert times[0] == 0
  assert times[-1] == pytest.approx(media.probe(path).duration_s, abs=0.1)
  assert np.diff(times).max() < 1 / 20
  assert all(0 <= p <= 1 for p in answer["curve"]["probability"])


def test_picture_and_sound_of_different_speeds_are_in_conflict(
  examples, detect
):
  (answer,) = detect(
    examples["picture three times as fast, sound half as fast"]
  )
  assert answer["verdict"] == "conflict"


def test_untouched_clip_is_untouched(examples, detect):
  (answer,) = detect(examples["untouched"])
  assert answer["verdict"] == "untouched"
  assert answer["changes"] == []


def test_cut_is_no_change(tmp_path, detect):
  path = tmp_path / "cut.mp4"
  with media.VideoWriter(path, 30, (160, 120)) as writer:
    for source in clips.package_clips():
      images, _ = clips.read_frames(source.path)
      for frame in images[:60]:
        writer.write(cv2.resize(frame, (160, 120)))
  (answer,) = detect(path)
  assert not [c for c in answer["changes"] if abs(c["time_s"] - 2) < 0.5]


@pytest.mark.parametrize(
  ("sound", "status"),
  [
    (None, "missing"),
    (media.Audio(np.zeros((176_400, 2), np.float32), 44_100), "silent"),
  ],
)
def test_file_without_anything_to_hear_is_judged_by_its_picture(
  still, detect, sound, status
):
  (answer,) = detect(still(f"{status}.mp4", sound))
  assert answer["sound"] == {
    "status": status,
    "speed": None,
    "speed_low": None,
    "speed_high": None,
  }
  assert answer["changes"] == []
  assert answer["verdict"] != "conflict"


def test_change_of_late_sound_is_told_on_the_clock_of_the_file(still, detect):
  (answer,) = detect(still("late.mp4", _spliced_sound(start_s=1.0), 5))
  (change,) = answer["changes"]
  assert change["time_s"] == pytest.approx(3, abs=0.2)
  assert change["seen_by"] == ["sound"]


def test_sound_that_outlasts_the_picture_is_heard_to_its_end(still, detect):
  (answer,) = detect(still("long.mp4", _spliced_sound(), 1))
  (change,) = answer["changes"]
  assert change["time_s"] == pytest.approx(2, abs=0.1)
  assert len(answer["curve"]["time_s"]) == 25


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (48_000, 6)])
def test_sound_of_any_rate_and_number_of_channels_is_heard(
  still, detect, rate, channels
):
  sound = _spliced_sound()
  samples = audio.change_speed(sound.samples, sound.rate, sound.rate / rate)
  given = media.Audio(samples.repeat(channels, axis=1), rate)
  (answer,) = detect(still(f"{rate}.mp4", given))
  assert answer["status"] == "ok"
  assert answer["sound"]["status"] == "ok"
  # Of 8 kHz, half of the octaves are missing: it may be missed, not mistaken.
  for change in answer["changes"]:
    assert change["ratio"] == pytest.approx(2, rel=0.15)


def test_one_bad_file_does_not_end_the_batch(examples, tmp_path, capsys):
  empty = tmp_path / "empty.mp4"
  empty.write_bytes(b"")
  files = [str(empty), str(tmp_path / "no.mp4"), str(examples["untouched"])]
  assert cli.main(["detect", "--json", *files]) == 2
  captured = capsys.readouterr()
  answers = [json.loads(line) for line in captured.out.splitlines()]
  assert [a["status"] for a in answers] == ["error", "error", "ok"]
  for answer, file in zip(answers[:2], files[:2], strict=True):
    assert set(answer) == _KEYS
    assert file in answer["error"]
    assert "\n" not in answer["error"]
    assert answer["verdict"] is None
    assert f"speedflow: {answer['error']}" in captured.err


def test_table_picture_and_page_show_every_file(examples, tmp_path, capsys):
  empty = tmp_path / "empty.mp4"
  empty.write_bytes(b"")
  files = [str(examples["twice as fast from 4 s on"]), str(empty)]
  picture, page = tmp_path / "out.png", tmp_path / "out.html"
  options = ["--plot", str(picture), "--report", str(page)]
  assert cli.main(["detect", *files, *options]) == 2
  out = capsys.readouterr().out
  rows = [line.split() for line in out.splitlines()]
  (row,) = (row for row in rows if row[:1] == files[:1])
  assert row[1:3] == ["sped", "up"]
  assert [files[1], "error"] in rows
  assert f"{files[0]}: Most likely sped up" in out
  assert image.imread(picture).ndim == 3
  assert page.read_text().count("<article") == 2


@pytest.mark.parametrize("option", ["--plot", "--report"])
def test_pictures_and_pages_have_their_suffixes(option, capsys):
  with pytest.raises(SystemExit) as exit_:
    cli.main(["detect", "a.mp4", option, "out.pdf"])
  assert exit_.value.code == 2
  assert "out.pdf does not end in" in capsys.readouterr().err


def test_interrupted_batch_leaves_what_is_finished(
  tmp_path, monkeypatch, capsys
):
  class Detector:
    def detect(self, file, on_progress):
      del on_progress
      if file == "stop.mp4":
        raise KeyboardInterrupt
      return detect_lib.Detection.failed(file, f"{file}: for the test")

  monkeypatch.setattr(detector_lib, "load_detector", Detector)
  picture, page = tmp_path / "out.png", tmp_path / "out.html"
  files = ["a\x1b.mp4", "b.mp4", "stop.mp4", "c.mp4"]
  wanted = ["--plot", str(picture), "--report", str(page)]
  assert cli.main(["detect", *files, *wanted]) == 130
  assert image.imread(picture).ndim == 3
  text = page.read_text()
  assert "b.mp4" in text
  assert "c.mp4" not in text
  captured = capsys.readouterr()
  assert r"a\x1b.mp4" in captured.out
  assert "\x1b" not in captured.out + captured.err
  assert captured.err.splitlines()[-1] == "speedflow: interrupted"
