"""What is written is read back: pixels, times, sound; whole or not at all."""

import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedflow.errors import SpeedflowError
from speedflow.media import (
  Audio,
  VideoReader,
  VideoWriter,
  audio_blocks,
  read_audio,
)


def _noise(count, width, height, seed=0):
  rng = np.random.default_rng(seed)
  return rng.integers(0, 256, (count, height, width, 3), np.uint8)


def _write(path, images, fps=Fraction(30), times=None, **options):
  height, width = images[0].shape[:2]
  with VideoWriter(path, fps, (width, height), **options) as writer:
    for image, time in zip(images, times or [None] * len(images), strict=True):
      writer.write(image, time)


def _read(path, **options):
  with VideoReader(path, **options) as reader:
    return list(reader)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("size", [(64, 48), (37, 29)])
def test_rgb24_at_crf_0_is_lossless(tmp_path, suffix, size):
  images = _noise(5, *size)

  _write(tmp_path / f"a{suffix}", images, crf=0, pixel_format="rgb24")

  shown = [frame.image for frame in _read(tmp_path / f"a{suffix}")]
  assert np.array_equal(shown, images)


@pytest.mark.parametrize("size", [(65, 48), (64, 47), (3, 5)])
def test_odd_sizes_are_kept(tmp_path, size):
  path = tmp_path / "odd.mp4"

  _write(path, _noise(3, *size), crf=0)

  with VideoReader(path) as reader:
    assert (reader.info.width, reader.info.height) == size
    assert reader.info.pixel_format == "yuv444p"


def test_colours_are_tagged_and_survive(tmp_path):
  colours = [(250, 10, 10), (10, 250, 10), (10, 10, 250), (128, 128, 128)]
  images = [np.full((48, 64, 3), colour, np.uint8) for colour in colours]

  _write(tmp_path / "a.mp4", images, crf=4)

  with av.open(str(tmp_path / "a.mp4")) as container:
    context = container.streams.video[0].codec_context
    assert (context.colorspace, context.color_range) == (1, 1)
    assert (context.color_primaries, context.color_trc) == (1, 1)
  shown = [
    np.median(frame.image, axis=(0, 1)) for frame in _read(tmp_path / "a.mp4")
  ]
  assert np.abs(np.subtract(shown, colours)).max() <= 4


@settings(max_examples=15, deadline=None)
@given(
  fps=st.fractions(
    min_value=Fraction(1, 2), max_value=1000, max_denominator=1001
  )
)
def test_constant_rate_is_kept_exactly(tmp_path_factory, fps):
  path = tmp_path_factory.mktemp("rate") / "a.mp4"

  _write(path, np.zeros((7, 16, 16, 3), np.uint8), fps)

  with VideoReader(path) as reader:
    assert reader.info.fps == fps
    assert [frame.time for frame in reader] == [i / fps for i in range(7)]


@settings(max_examples=15, deadline=None)
@given(
  unit=st.fractions(
    min_value=Fraction(1, 100_000), max_value=Fraction(1, 10)
  ).map(lambda unit: unit.limit_denominator(100_000)),
  steps=st.lists(st.integers(1, 50), min_size=2, max_size=9),
  start=st.integers(0, 20),
)
def test_given_times_are_kept_exactly(tmp_path_factory, unit, steps, start):
  path = tmp_path_factory.mktemp("times") / "a.mp4"
  times = [(start + int(total)) * unit for total in np.cumsum([0, *steps])]

  _write(
    path,
    np.zeros((len(times), 16, 16, 3), np.uint8),
    times=times,
    time_base=unit,
  )

  with VideoReader(path) as reader:
    assert [frame.time for frame in reader] == times
  span = times[-1] - times[0]
  rate = reader.info.fps
  # A rate is the inverse of the mean interval, but for the rounding to ticks.
  assert abs((len(times) - 1) / rate - span) <= unit


def test_matroska_keeps_times_to_a_millisecond(tmp_path):
  fps = Fraction(30000, 1001)

  _write(tmp_path / "a.mkv", np.zeros((30, 16, 16, 3), np.uint8), fps)

  times = [frame.time for frame in _read(tmp_path / "a.mkv")]
  assert max(abs(t - i / fps) for i, t in enumerate(times)) <= Fraction(1, 2000)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(
  ("rate", "channels", "start_s"),
  [(8000, 1, 0.0), (48000, 2, 0.5), (44100, 6, 0.0), (11000, 1, 0.25)],
)
def test_sound_goes_along(tmp_path, make_tone, suffix, rate, channels, start_s):
  path = tmp_path / f"a{suffix}"
  tone = make_tone(1.0, rate, channels)[:, :1].repeat(channels, axis=1)

  _write(
    path,
    np.zeros((30, 48, 64, 3), np.uint8),
    audio=Audio(tone, rate, start_s),
  )

  audio = read_audio(path, mono=True)
  assert audio.rate >= rate
  clock = audio.start_s + np.arange(len(audio.samples)) / audio.rate
  wanted = np.interp(
    clock, start_s + np.arange(rate) / rate, tone[:, 0], left=0, right=0
  )
  assert np.corrcoef(audio.samples[:, 0], wanted)[0, 1] > 0.98


def test_sound_may_come_in_blocks(tmp_path, make_clip, make_tone):
  source = make_clip("source.mkv", sound=make_tone(3.0), sound_codec="flac")
  path = tmp_path / "copy.mp4"

  _write(
    path,
    np.zeros((30, 48, 64, 3), np.uint8),
    audio=audio_blocks(source, seconds=0.7),
  )

  heard, wanted = read_audio(path).samples, read_audio(source).samples
  assert len(heard) >= len(wanted)
  assert np.corrcoef(heard[: len(wanted), 0], wanted[:, 0])[0, 1] > 0.99


def test_missing_sound_is_no_sound(tmp_path, make_clip):
  _write(
    tmp_path / "a.mp4",
    np.zeros((3, 48, 64, 3), np.uint8),
    audio=audio_blocks(make_clip()),
  )

  assert read_audio(tmp_path / "a.mp4") is None


def test_index_stands_first(tmp_path):
  """A browser can begin to play before all has come (faststart)."""
  path = tmp_path / "a.mp4"

  _write(path, _noise(3, 64, 48))

  data = path.read_bytes()
  assert data.index(b"moov") < data.index(b"mdat")


def test_lower_crf_is_better_and_larger(tmp_path):
  images = _noise(4, 64, 48)
  sizes = []
  for crf in (10, 40):
    path = tmp_path / f"{crf}.mp4"
    _write(path, images, crf=crf)
    sizes.append(path.stat().st_size)

  assert sizes[0] > 2 * sizes[1]


def test_an_error_leaves_neither_file_nor_remains(tmp_path):
  with (
    pytest.raises(KeyError),
    VideoWriter(tmp_path / "a.mp4", 30, (64, 48)) as writer,
  ):
    writer.write(_noise(1, 64, 48)[0])
    raise KeyError

  assert list(tmp_path.iterdir()) == []


def test_no_picture_makes_no_file(tmp_path):
  with (
    pytest.raises(ValueError, match="no picture"),
    VideoWriter(tmp_path / "a.mp4", 30, (64, 48)),
  ):
    pass

  assert list(tmp_path.iterdir()) == []


def test_rate_given_as_a_float_is_taken_to_the_nearest_rational(tmp_path):
  _write(
    tmp_path / "a.mp4", np.zeros((5, 16, 16, 3), np.uint8), Fraction(29.97)
  )

  assert [frame.time for frame in _read(tmp_path / "a.mp4")] == [
    Fraction(100 * i, 2997) for i in range(5)
  ]


def test_an_error_leaves_an_older_file_as_it_was(tmp_path):
  path = tmp_path / "a.mp4"
  path.write_bytes(b"older")

  with pytest.raises(KeyError), VideoWriter(path, 30, (64, 48)):
    raise KeyError

  assert path.read_bytes() == b"older"


_WRITE_ON_A_FULL_DISK = """
import resource, signal, sys
import numpy as np
from speedflow.errors import SpeedflowError
from speedflow.media import VideoWriter
# A limit on file size fails writes just as a full disk does.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
rng = np.random.default_rng(0)
try:
  with VideoWriter(sys.argv[1], 30, (64, 48), crf=0) as writer:
    for _ in range(60):
      writer.write(rng.integers(0, 256, (48, 64, 3), np.uint8))
except SpeedflowError as error:
  print(error)
"""


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("limit", [1, 100_000])
def test_full_disk_is_said_and_leaves_nothing(tmp_path, suffix, limit):
  path = tmp_path / f"a{suffix}"

  done = subprocess.run(
    [sys.executable, "-c", _WRITE_ON_A_FULL_DISK, path, str(limit)],
    capture_output=True,
    text=True,
    check=True,
  )

  assert "could not be written" in done.stdout
  assert done.stdout.count("\n") == 1
  assert str(path) in done.stdout
  assert list(tmp_path.iterdir()) == []


def test_unwritable_folder_is_said(tmp_path):
  blocker = tmp_path / "file"
  blocker.touch()

  with (
    pytest.raises(SpeedflowError, match="could not be written"),
    VideoWriter(blocker / "a.mp4", 30, (64, 48)),
  ):
    pass


def test_unknown_suffix_is_refused(tmp_path):
  with pytest.raises(SpeedflowError, match=r"\.mp4, \.mov, \.mkv"):
    VideoWriter(tmp_path / "a.xyz", 30, (64, 48))


@pytest.mark.parametrize(
  "image",
  [
    np.zeros((64, 48, 3), np.uint8),
    np.zeros((48, 64), np.uint8),
    np.zeros((48, 64, 3), np.float32),
  ],
)
def test_image_of_another_shape_or_type_is_refused(tmp_path, image):
  with (
    pytest.raises(ValueError, match="wanted uint8"),
    VideoWriter(tmp_path / "a.mp4", 30, (64, 48)) as writer,
  ):
    writer.write(image)


def test_times_must_rise(tmp_path):
  image = _noise(1, 64, 48)[0]
  with (
    pytest.raises(ValueError, match="not after"),
    VideoWriter(tmp_path / "a.mp4", 30, (64, 48)) as writer,
  ):
    writer.write(image, Fraction(1))
    writer.write(image, Fraction(1, 2))


@pytest.mark.parametrize(("fps", "size"), [(0, (64, 48)), (30, (0, 48))])
def test_rate_and_size_must_be_positive(tmp_path, fps, size):
  with pytest.raises(ValueError, match="positive"):
    VideoWriter(tmp_path / "a.mp4", fps, size)
