"""Video comes in as it is shown: exact times, right way up, full range."""

import contextlib
import csv
import os
import pathlib
import subprocess
import sys
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedflow.errors import SpeedflowError
from speedflow.media import (
  VideoReader,
  VideoWriter,
  container,
  probe,
  read_audio,
)


def _read(path, **options):
  with VideoReader(path, **options) as reader:
    return list(reader)


def _error(path, **options):
  with pytest.raises(SpeedflowError) as caught, VideoReader(path, **options):
    pass
  message = str(caught.value)
  assert str(path) in message
  assert "\n" not in message
  return message


def test_probe_tells_what_a_clip_is(make_clip, make_tone):
  info = probe(make_clip(sound=make_tone(), count=15))

  assert (info.width, info.height) == (64, 48)
  assert info.fps == 30
  assert info.frames == 15
  assert info.duration_s == pytest.approx(0.5)
  assert (info.codec, info.pixel_format, info.bit_depth) == (
    "h264",
    "yuv420p",
    8,
  )
  assert not info.colour.full_range
  assert (info.rotation, info.interlaced) == (0, False)
  assert info.has_audio
  assert not info.variable_frame_rate


def test_times_are_exact_rationals(make_clip):
  path = make_clip(time_base=Fraction(1001, 30000))

  times = [frame.time for frame in _read(path)]

  assert times == [i * Fraction(1001, 30000) for i in range(12)]


def test_variable_frame_rate_keeps_every_time(make_clip):
  stamps = [0, 40, 80, 200, 210, 300, 1000, 1040]
  path = make_clip(count=8, stamps=stamps, time_base=Fraction(1, 1000))

  with VideoReader(path) as reader:
    assert reader.info.variable_frame_rate
    assert [frame.time for frame in reader] == [
      Fraction(stamp, 1000) for stamp in stamps
    ]


def test_times_rise_where_the_file_repeats_and_reverses(make_clip, tmp_path):
  whole = make_clip("whole.avi", codec="mpeg4", count=8)
  broken = tmp_path / "broken.mkv"
  stamps = iter([0, 1, 2, 2, 1, 5, 6, 20])
  with av.open(str(whole)) as source, av.open(str(broken), "w") as sink:
    stream = sink.add_stream_from_template(source.streams.video[0])
    for packet in source.demux(video=0):
      if packet.size:
        packet.stream = stream
        packet.dts -= 10  # A stamp may not come before its decoding time.
        packet.pts = next(stamps)
        sink.mux(packet)

  times = [frame.time for frame in _read(broken)]

  assert [round(time * 30) for time in times] == [0, 1, 2, 3, 4, 5, 6, 20]


def test_times_are_whole_ticks_of_the_time_base(make_clip):
  path = make_clip("clip.mkv", time_base=Fraction(1, 24))

  with VideoReader(path) as reader:
    ticks = [frame.time / reader.info.time_base for frame in reader]

  assert all(tick.denominator == 1 for tick in ticks)


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_rotation_flag_turns_the_picture(make_clip, rotation):
  image = np.zeros((48, 64, 3), np.uint8)
  image[:24, :32] = (255, 0, 0)
  image[24:, 32:] = (0, 0, 255)
  path = make_clip(images=[image] * 3, rotation=rotation)

  with VideoReader(path) as reader:
    shown = next(reader).image
    info = reader.info

  wanted = np.rot90(image, rotation // 90)  # Both counter-clockwise.
  assert (info.height, info.width) == wanted.shape[:2] == shown.shape[:2]
  assert info.rotation == -rotation % 360
  assert np.abs(shown.astype(int) - wanted).mean() < 12


def test_mirror_flag_mirrors_the_picture(make_clip, ramp):
  path = make_clip(hflip=True)

  shown = _read(path, pixel_format="gray")[0].image

  wanted = ramp(0, 64, 48)[:, ::-1, 0]
  assert np.abs(shown.astype(int) - wanted).max() <= 4


def test_rotated_picture_is_scaled_to_the_size_as_shown(make_clip):
  path = make_clip(rotation=90)

  assert _read(path, size=(20, 30))[0].image.shape == (30, 20, 3)
  assert _read(path, short_side=24)[0].image.shape == (32, 24, 3)


@pytest.mark.parametrize("size", [(63, 47), (65, 48), (33, 17)])
def test_odd_sizes(make_clip, ramp, size):
  path = make_clip(size=size, pixel_format="yuv444p")

  frames = _read(path, pixel_format="gray")

  assert frames[3].image.shape == (size[1], size[0])
  assert np.abs(frames[3].image.astype(int) - ramp(3, *size)[..., 0]).max() <= 8


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("output", ["rgb24", "gray"])
@pytest.mark.parametrize(
  ("codec", "stored"),
  [
    ("libx264", "yuv420p"),
    ("libx264", "yuv420p10le"),
    ("libx264", "yuv422p10le"),
    ("ffv1", "yuv444p16le"),
  ],
)
def test_any_depth_and_range_comes_out_at_full_range(
  make_clip, codec, stored, output, full_range
):
  levels = [0, 64, 128, 255]
  images = [np.full((48, 64, 3), level, np.uint8) for level in levels]
  path = make_clip(
    "clip.mkv",
    images,
    codec=codec,
    pixel_format=stored,
    full_range=full_range,
    options={"crf": "1"} if codec == "libx264" else {},
  )

  with VideoReader(path, pixel_format=output) as reader:
    shown = [int(np.median(frame.image)) for frame in reader]

  assert reader.info.colour.full_range == full_range
  assert np.abs(np.subtract(shown, levels)).max() <= 2


def test_colours_survive(make_clip):
  colours = [(200, 40, 40), (40, 200, 40), (40, 40, 200), (180, 180, 30)]
  images = [np.full((48, 64, 3), colour, np.uint8) for colour in colours]

  frames = _read(make_clip(images=images, options={"crf": "1"}))

  shown = [np.median(frame.image, axis=(0, 1)) for frame in frames]
  assert np.abs(np.subtract(shown, colours)).max() <= 4


@pytest.mark.parametrize("stored", ["gray", "gray10le"])
def test_grey_video(make_clip, ramp, stored):
  path = make_clip("clip.mkv", codec="ffv1", pixel_format=stored)

  with VideoReader(path) as reader:
    image = list(reader)[5].image

  assert image.shape == (48, 64, 3)
  assert np.abs(image.astype(int) - ramp(5, 64, 48)).max() <= 12


@pytest.mark.parametrize("full_range", [False, True])
def test_interlaced_frames_are_deinterlaced(make_clip, full_range):
  """Two fields that differ by 100 levels come out without the comb."""
  image = np.full((48, 64, 3), 60, np.uint8)
  image[1::2, 20:44] = 160
  path = make_clip(
    "clip.mkv",
    [image] * 8,
    codec="libx264",
    pixel_format="yuv444p",
    options={"crf": "1", "x264-params": "interlaced=1"},
    full_range=full_range,
  )

  with VideoReader(path, pixel_format="gray") as reader:
    frames = list(reader)

  assert reader.info.interlaced
  assert reader.info.colour.full_range == full_range
  assert [round(frame.time * 30) for frame in frames] == list(range(8))
  rows = frames[4].image[10:38, 30].astype(int)
  assert np.abs(np.diff(rows)).max() < 60
  assert abs(int(frames[4].image[20, 4]) - 60) <= 2


def test_short_side_never_enlarges(make_clip):
  path = make_clip()

  assert _read(path, short_side=480)[0].image.shape == (48, 64, 3)
  assert _read(path, short_side=24)[0].image.shape == (24, 32, 3)


def test_size_may_enlarge(make_clip):
  assert _read(make_clip(), size=(100, 90))[0].image.shape == (90, 100, 3)


def test_reduction_averages_areas(make_clip):
  """A fine checkerboard shrinks to even grey, as with OpenCV's areas."""
  board = np.indices((240, 320)).sum(axis=0) // 3 % 2 * 200
  image = np.repeat(board[..., None], 3, axis=2).astype(np.uint8)
  path = make_clip(images=[image] * 3, options={"crf": "1"})

  for output in ("rgb24", "gray"):
    small = _read(path, size=(32, 24), pixel_format=output)[0].image
    wanted = cv2.resize(image, (32, 24), interpolation=cv2.INTER_AREA)
    wanted = wanted if output == "rgb24" else wanted[..., 0]
    assert np.abs(small.astype(int) - wanted).max() <= 12


@pytest.mark.parametrize("keyframe_interval", [12, 250])
@pytest.mark.parametrize(
  "name", ["clip.mp4", "clip.mkv", "clip.avi", "clip.ts"]
)
def test_start_s_gives_the_same_frames_as_reading_through(
  make_clip, name, keyframe_interval
):
  path = make_clip(
    name,
    count=90,
    codec="mpeg4" if name.endswith("avi") else "libx264",
    options={"g": str(keyframe_interval)},
  )
  start = Fraction(5, 3)

  wanted = [frame for frame in _read(path) if frame.time >= start]
  frames = _read(path, start_s=start)

  assert [f.time for f in frames] == [f.time for f in wanted]
  assert all(
    np.array_equal(a.image, b.image)
    for a, b in zip(frames, wanted, strict=True)
  )


def test_start_s_after_the_end_gives_no_frames(make_clip):
  assert _read(make_clip(), start_s=100) == []


def test_closed_reader_gives_no_more_frames(make_clip):
  with VideoReader(make_clip()) as reader:
    next(reader)

  assert list(reader) == []


def test_short_side_and_size_exclude_each_other(make_clip):
  with pytest.raises(ValueError, match="not both"):
    VideoReader(make_clip(), short_side=8, size=(8, 8))


def test_missing_file(tmp_path):
  assert "no such file" in _error(tmp_path / "none.mp4")


def test_pipes_and_devices_are_named_and_not_opened(tmp_path):
  pipe = tmp_path / "pipe.mp4"
  os.mkfifo(pipe)
  assert "no regular file (a pipe); write it to a file first" in _error(pipe)
  assert "no regular file (a device)" in _error(os.devnull)


_LISTS = {
  "concat": "ffconcat version 1.0\nfile {video}\n",
  "outside": "ffconcat version 1.0\nfile /etc/hostname\n",
  "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\n{video}\n"
  "#EXT-X-ENDLIST\n",
  "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
  'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"/>',
}


@pytest.mark.parametrize("kind", _LISTS)
@pytest.mark.parametrize("suffix", [".mp4", ".m3u8"])
def test_lists_of_files_are_named_and_not_followed(tmp_path, kind, suffix):
  with VideoWriter(tmp_path / "whole.mp4", 25, (64, 48)) as writer:
    for _ in range(3):
      writer.write(np.zeros((48, 64, 3), np.uint8))
  path = tmp_path / f"list{suffix}"
  path.write_text(_LISTS[kind].format(video="whole.mp4"))
  message = _error(path)
  assert "a list of files (a playlist), where a video was wanted" in message
  # However it is disguised.
  with pytest.raises(av.FFmpegError), container.open_unchecked(path):
    pass


def test_folder(tmp_path):
  assert "folder" in _error(tmp_path)


def test_empty_file(tmp_path):
  path = tmp_path / "empty.mp4"
  path.touch()
  assert "empty" in _error(path)


@pytest.mark.parametrize("name", ["notes.txt", "notes.mp4"])
def test_text_file(tmp_path, name):
  path = tmp_path / name
  path.write_text("This is no video.\n" * 100)
  _error(path)


def test_metadata_need_not_be_unicode(make_clip):
  path = make_clip()
  path.write_bytes(
    path.read_bytes().replace(b"VideoHandler", b"Vid\xe9oHandler")
  )
  assert len(_read(path)) == 12


def test_random_bytes(tmp_path):
  path = tmp_path / "noise.mp4"
  path.write_bytes(np.random.default_rng(0).bytes(20000))
  _error(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(make_clip):
  path = make_clip()
  path.chmod(0)
  assert "permission" in _error(path)


def test_still_picture(tmp_path):
  path = tmp_path / "still.png"
  cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))
  assert "still picture" in _error(path)


def test_sound_only(tmp_path, make_tone):
  path = tmp_path / "sound.m4a"
  with av.open(str(path), "w") as container:
    track = container.add_stream("aac", rate=48000, layout="mono")
    frame = av.AudioFrame.from_ndarray(make_tone().T.copy(), "fltp", "mono")
    frame.sample_rate = 48000
    container.mux(track.encode(frame))
    container.mux(track.encode(None))
  assert "no video stream" in _error(path)


def test_one_frame_only(make_clip):
  assert "one frame only" in _error(make_clip(count=1))


def test_cut_before_the_index_is_refused(make_clip):
  path = make_clip()
  path.write_bytes(path.read_bytes()[:-600])  # The moov box stands last.
  assert "cut" in _error(path)
  path.write_bytes(path.read_bytes()[:1000])
  assert "cut" in _error(path)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_cut_midway_gives_what_stands_before(tmp_path, name):
  rng = np.random.default_rng(0)
  path = tmp_path / name
  with VideoWriter(path, 30, (64, 48), crf=0) as writer:
    for _ in range(120):
      writer.write(rng.integers(0, 256, (48, 64, 3), np.uint8))
  whole = _read(path)
  path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

  with VideoReader(path) as reader:
    assert reader.damage is None
    frames = list(reader)

  assert 40 < len(frames) < 80
  assert "damaged" in reader.damage
  assert all(
    a.time == b.time and np.array_equal(a.image, b.image)
    for a, b in zip(frames, whole, strict=False)
  )


def test_cut_after_a_few_frames_is_noticed(tmp_path):
  path = tmp_path / "clip.mp4"
  with VideoWriter(path, 30, (64, 48), crf=0) as writer:
    for image in np.random.default_rng(0).integers(
      0, 256, (60, 48, 64, 3), np.uint8
    ):
      writer.write(image)
  path.write_bytes(path.read_bytes()[: path.stat().st_size // 10])

  with VideoReader(path) as reader:
    assert 2 <= len(list(reader)) <= 6

  assert "damaged" in reader.damage


def test_broken_beginning_is_passed_over(make_clip, tmp_path):
  """A broadcast that is joined midway starts with its next whole picture."""
  path = make_clip("clip.ts", count=60, options={"g": "20", "bf": "0"})
  whole = _read(path)
  path.write_bytes(path.read_bytes()[188 * 12 :])

  with VideoReader(path) as reader:
    frames = list(reader)

  assert reader.damage is None
  assert 30 <= len(frames) < 60
  assert np.array_equal(frames[-1].image, whole[-1].image)


def test_damage_midway_ends_the_reading(tmp_path):
  rng = np.random.default_rng(0)
  path = tmp_path / "clip.mp4"
  with VideoWriter(path, 30, (64, 48)) as writer:
    for _ in range(60):
      writer.write(rng.integers(0, 256, (48, 64, 3), np.uint8))
  data = bytearray(path.read_bytes())
  middle = len(data) // 2
  data[middle : middle + 4000] = rng.bytes(4000)
  path.write_bytes(data)

  with VideoReader(path) as reader:
    frames = list(reader)

  assert 10 < len(frames) < 45
  assert "damaged" in reader.damage


@settings(max_examples=40, deadline=None)
@given(
  changes=st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=20
  ),
  name=st.sampled_from(["clip.mp4", "clip.mkv"]),
  in_header=st.booleans(),
)
def test_flipped_bytes_are_read_or_refused(
  tmp_path_factory, changes, name, in_header
):
  """Whatever stands in a file, nothing else than our own error comes."""
  path = tmp_path_factory.getbasetemp() / f"whole_{name}"
  if not path.exists():
    with VideoWriter(path, 30, (32, 32)) as writer:
      for level in range(20):
        writer.write(np.full((32, 32, 3), level, np.uint8))
  data = bytearray(path.read_bytes())
  reach = min(len(data), 1000) if in_header else len(data)
  for place, value in changes:
    data[round(place * (reach - 1))] = value
  broken = tmp_path_factory.getbasetemp() / f"broken_{name}"
  broken.write_bytes(data)

  with contextlib.suppress(SpeedflowError):
    read_audio(broken)
  with contextlib.suppress(SpeedflowError), VideoReader(broken) as reader:
    assert all(frame.image.ndim == 3 for frame in reader)


def test_whole_file_has_no_damage(make_clip, make_tone):
  """Sound that is longer than the picture is no sign of a cut."""
  with VideoReader(make_clip("clip.mkv", sound=make_tone(5.0))) as reader:
    assert len(list(reader)) == 12
  assert reader.damage is None


_READ_AND_REPORT = """
import resource, sys
from speedflow.media import VideoReader
with VideoReader(sys.argv[1]) as reader:
  next(reader)
  before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  count = sum(1 for _ in reader)
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_length(make_clip, ramp):
  """600 frames of 640x480 would be 553 MB; reading them needs a few."""
  image = ramp(0, 640, 480)
  path = make_clip(
    images=[image] * 600, options={"preset": "ultrafast", "g": "30"}
  )

  done = subprocess.run(
    [sys.executable, "-c", _READ_AND_REPORT, path],
    capture_output=True,
    text=True,
    check=True,
  )

  count, growth_kib = map(int, done.stdout.split())
  assert count == 599
  assert growth_kib < 60 * 1024


@pytest.mark.skipif(
  not os.environ.get("SPEEDFLOW_DATA"), reason="SPEEDFLOW_DATA is not set"
)
def test_real_clips_match_their_table():
  folder = pathlib.Path(os.environ["SPEEDFLOW_DATA"])
  with open(folder / "clips.csv", newline="") as file:
    rows = list(csv.DictReader(file))[::20]
  for row in rows:
    with VideoReader(folder / row["file"], short_side=32) as reader:
      times = [frame.time for frame in reader]
    assert reader.damage is None, row["file"]
    assert np.all(np.diff(times) > 0), row["file"]
    assert (reader.info.width, reader.info.height, len(times)) == (
      int(row["width"]),
      int(row["height"]),
      int(row["frames"]),
    )


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_frames_that_are_skipped_change_nothing_after_them(make_clip, codec):
  path = make_clip("clip.mkv", codec=codec, count=12)
  with VideoReader(path) as reader:
    whole = list(reader)
  with VideoReader(path, skip=7) as reader:
    rest = list(reader)
  assert [frame.time for frame in rest] == [frame.time for frame in whole[7:]]
  for kept, wanted in zip(rest, whole[7:], strict=True):
    np.testing.assert_array_equal(kept.image, wanted.image)
