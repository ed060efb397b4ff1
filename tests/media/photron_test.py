"""High-speed recordings pass for videos: Photron's, and Phantom's by FFmpeg."""

from fractions import Fraction

import numpy as np
import pytest

from speedflow import media
from speedflow.errors import SpeedflowError
from tests import camera_files


def _read(path, **options):
  with media.VideoReader(path, pixel_format="gray", **options) as reader:
    frames = list(reader)
    assert reader.damage is None
    return reader.info, frames


@pytest.mark.parametrize(
  ("suffix", "bits"),
  [(".cih", 8), (".cihx", 8), (".cihx", 12), (".cih", 16), (".cine", 8)],
)
def test_frames_and_times_are_those_of_the_camera(tmp_path, suffix, bits):
  path = tmp_path / f"shot{suffix}"
  if suffix == ".cine":
    camera_files.write_cine(path, 1000)
  else:
    camera_files.write_photron(path, 1000, bits)
  info, frames = _read(path)
  assert info.fps == 1000
  assert [frame.time for frame in frames] == [
    Fraction(k, 1000) for k in range(40)
  ]
  for frame, image in zip(frames, camera_files.pictures(40), strict=True):
    assert np.abs(frame.image.astype(int) - image).max() <= 1


def test_reading_from_a_time_on(tmp_path):
  path = camera_files.write_photron(tmp_path / "a.cihx", "2000.0", 12)
  _, frames = _read(path, start_s=Fraction(1, 200))
  assert frames[0].time == Fraction(1, 200)
  wanted = list(camera_files.pictures(40))[10]
  assert np.abs(frames[0].image.astype(int) - wanted).max() <= 1


def test_frames_may_be_named_instead_of_the_header(tmp_path):
  camera_files.write_photron(tmp_path / "a.cihx", 500)
  info, frames = _read(tmp_path / "a.mraw")
  assert (info.fps, len(frames)) == (500, 40)


@pytest.mark.parametrize("name", ["a.cihx", "a.mraw"])
def test_half_of_a_recording_is_refused(tmp_path, name):
  path = camera_files.write_photron(tmp_path / "a.cihx", 500)
  (path.with_suffix(".mraw") if name == "a.cihx" else path).unlink()
  with pytest.raises(SpeedflowError, match=r"beside it; .* both files"):
    media.probe(tmp_path / name)


def test_frames_that_were_cut_are_refused(tmp_path):
  path = camera_files.write_photron(tmp_path / "a.cih", 500)
  frames = path.with_suffix(".mraw")
  frames.write_bytes(frames.read_bytes()[:-1])
  with pytest.raises(
    SpeedflowError, match=r"holds 39 frames where a\.cih says 40"
  ):
    media.probe(path)


def test_every_nth_frame_saved_is_a_lower_rate(tmp_path):
  path = camera_files.write_photron(tmp_path / "a.cih", 60000, Save_Step=36)
  info, frames = _read(path)
  assert info.fps == Fraction(60000, 36)
  assert frames[1].time == Fraction(36, 60000)


@pytest.mark.parametrize(
  ("field", "value", "words"),
  [
    ("Color_Bit", 24, "24 bits a pixel"),
    ("File_Format", "Tiff", "file format: 'Tiff'"),
    ("Image_Width", 0, "width: '0'"),
    ("Image_Height", 1 << 40, "height"),
    ("Total_Frame", "many", "number of frames: 'many'"),
  ],
)
def test_header_that_cannot_be_used_is_refused_in_words(
  tmp_path, field, value, words
):
  path = camera_files.write_photron(tmp_path / "a.cih", 500, **{field: value})
  with pytest.raises(SpeedflowError, match=words) as error:
    media.probe(path)
  assert str(path) in str(error.value)
  assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"\xff" * 99, b"<cih><x></cih>"])
def test_header_that_is_none_is_refused(tmp_path, content):
  path = camera_files.write_photron(tmp_path / "a.cihx", 500)
  path.write_bytes(content)
  with pytest.raises(SpeedflowError, match=r"a\.cihx"):
    media.probe(path)
