import dataclasses
import io
from fractions import Fraction

import cv2
import numpy as np
import pytest
import soundfile

from speedflow.data import example, schema
from speedflow.errors import SpeedflowError


def _jpeg(image):
  return cv2.imencode(".jpg", image[..., ::-1])[1].tobytes()


@pytest.fixture
def record():
  rows, columns = np.mgrid[:48, :64].astype(np.uint8)
  image = np.stack([rows * 4, columns * 3, rows + columns], -1)
  samples = np.sin(np.arange(900) / 9)[:, None] * [0.5, 0.25]
  flac = io.BytesIO()
  soundfile.write(flac, samples, 44100, format="FLAC", subtype="PCM_16")
  return schema.ShotRecord(
    id="clip/2/0",
    frames=[_jpeg(image), _jpeg(255 - image)],
    ticks=np.array([-512, 2**40]),
    time_base=Fraction(1, 90000),
    fps=Fraction(30000, 1001),
    height=48,
    width=64,
    capture_fps=240.0,
    speed=0.125,
    label="known",
    scene_group="épicerie",
    shot=2,
    first_frame=70,
    audio_flac=flac.getvalue(),
    audio_rate=44100,
    audio_channels=2,
    audio_start_s=-0.25,
  )


def test_every_field_survives_encoding(record):
  again = schema.ShotRecord.decode(record.encode())
  for field in dataclasses.fields(record):
    wanted, found = getattr(record, field.name), getattr(again, field.name)
    if field.name == "frames":
      found = [bytes(frame) for frame in found]
    assert np.all(found == wanted), field


def test_the_features_are_those_of_the_written_schema(record):
  names = " ".join(sorted(example.decode(record.encode())))
  assert names == (
    "audio/channels audio/flac audio/rate audio/start_s capture_fps category "
    "chunk content first_frame fps frames/jpeg frames/time height id label "
    "licence scene_group shot source source_path speed split time_base width"
  )


def test_tfds_parses_a_record_by_the_same_schema(record):
  pytest.importorskip("tensorflow")  # The parser of serialised examples.
  found = schema.tfds_features().deserialize_example(record.encode())
  assert found["frames"]["jpeg"].numpy().tolist() == record.frames
  assert found["fps"].numpy().tolist() == [30000, 1001]
  assert found["scene_group"].numpy().decode() == "épicerie"


def test_numpy_half_of_tfds_parses_a_record(record):
  found = schema.tfds_features().deserialize_example_np(record.encode())
  assert list(found["frames"]["jpeg"]) == record.frames
  assert list(found["frames"]["time"]) == record.ticks.tolist()
  assert found["audio"]["flac"] == record.audio_flac
  assert found["speed"] == 0.125


def test_images_are_rgb_and_gray(record):
  image = record.image(0)
  assert image.shape == (48, 64, 3)
  assert image.dtype == np.uint8
  red_green_blue = image[40, 10].astype(int)
  np.testing.assert_allclose(red_green_blue, [160, 30, 50], atol=12)
  gray = record.image(0, gray=True)
  luma = image @ [0.299, 0.587, 0.114]
  np.testing.assert_allclose(gray, luma, atol=3)


@pytest.mark.parametrize("reduce", [2, 4, 8])
def test_a_reduced_image_is_the_average_of_the_full_one(record, reduce):
  full = record.image(1).astype(float)
  blocks = full.reshape(48 // reduce, reduce, 64 // reduce, reduce, 3)
  small = record.image(1, reduce=reduce)
  np.testing.assert_allclose(small, blocks.mean((1, 3)), atol=12)
  assert record.image(1, gray=True, reduce=reduce).shape == small.shape[:2]


def test_times_are_seconds_of_the_file(record):
  times = record.times_s()
  np.testing.assert_allclose(times, [-512 / 90000, 2**40 / 90000])


def test_sound_is_decoded_on_the_clock_of_the_frames(record):
  sound = record.audio()
  assert (sound.samples.shape, sound.rate) == ((900, 2), 44100)
  assert sound.start_s == pytest.approx(-512 / 90000 - 0.25)
  wanted = np.sin(np.arange(900) / 9) * 0.5
  np.testing.assert_allclose(sound.samples[:, 0], wanted, atol=1e-4)


def test_without_sound_there_is_none(record):
  assert dataclasses.replace(record, audio_flac=b"").audio() is None


def test_another_kind_of_record_is_refused():
  for record in (b"", b"junk", example.encode({"id": [b"a"]})):
    with pytest.raises(SpeedflowError, match="not a record of a shot"):
      schema.ShotRecord.decode(record)


@pytest.mark.parametrize("frame", [b"", b"not a jpeg"])
def test_a_frame_that_is_no_jpeg_is_named(record, frame):
  broken = dataclasses.replace(record, frames=[frame])
  with pytest.raises(SpeedflowError, match="clip/2/0: frame 0"):
    broken.image(0)
