"""What is left out is not decoded; all else is as without."""

import dataclasses
import itertools
from fractions import Fraction

import av
import numpy as np
import pytest

from bench import timing_files
from bench.timing_files import Video, even
from speedflow import media

_GROUPS = {
  "closed": {"x264-params": "keyint=20:min-keyint=20:scenecut=0"},
  "open": {"x264-params": "keyint=20:open-gop=1:bframes=3:scenecut=0"},
  "pyramid": {"x264-params": "keyint=40:bframes=8:b-pyramid=normal:b-adapt=0"},
}


def _moving(count):
  """A texture that moves on, so that frames lean on each other."""
  texture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
  return [np.roll(texture, number, axis=1) for number in range(count)]


def _read(path, wanted=()):
  """Frames, where those in the spans of `wanted` alone are looked at."""
  following = itertools.pairwise(wanted)
  ends = {end: start for (_, end), (start, _) in following}
  with media.VideoReader(path, pixel_format="gray") as reader:
    found = []
    for number, frame in enumerate(reader):
      found.append(frame)
      if number in ends:
        reader.leave_out(ends[number])
    return found, reader.damage


def _check(path, wanted, most=1.0):
  """The same frames and times, but for a share that nobody looked at."""
  all_, _ = _read(path)
  found, damage = _read(path, wanted)
  assert [f.time for f in found] == [f.time for f in all_]
  for number, (frame, whole) in enumerate(zip(found, all_, strict=True)):
    if not frame.left_out:
      np.testing.assert_array_equal(frame.image, whole.image)
    elif any(start <= number <= end for start, end in wanted):
      pytest.fail(f"frame {number} was wanted")
  seen = sum(not frame.left_out for frame in found)
  assert seen <= most * len(all_)
  return damage


@pytest.mark.parametrize("name", _GROUPS)
def test_frames_are_those_of_a_reader_that_leaves_nothing_out(make_clip, name):
  path = make_clip(images=_moving(200), options=_GROUPS[name])
  _check(path, [(0, 9), (70, 80), (150, 155), (195, 199)], most=0.6)


@pytest.mark.parametrize(
  ("name", "codec"), [("a.avi", "mpeg4"), ("a.webm", "libvpx-vp9")]
)
def test_other_codecs_are_read_alike(make_clip, name, codec):
  path = make_clip(name, images=_moving(150), codec=codec, options={"g": "15"})
  _check(path, [(0, 9), (90, 100), (140, 149)], most=0.6)


def test_a_stretch_may_end_anywhere_in_the_order_of_decoding(make_clip):
  path = make_clip(images=_moving(240), options=_GROUPS["pyramid"])
  for last in range(98, 108):
    _check(path, [(0, last), (200, 239)], most=0.8)


def test_times_of_a_variable_rate_are_kept(make_clip):
  steps = np.random.default_rng(0).integers(1, 4, 160)
  path = make_clip(
    images=_moving(160),
    stamps=[int(t) for t in np.cumsum(steps)],
    time_base=Fraction(1, 90),
    options=_GROUPS["closed"],
  )
  _check(path, [(0, 4), (80, 90), (150, 159)], most=0.5)


def test_all_is_decoded_where_keyframes_are_rare(make_clip):
  path = make_clip(
    images=_moving(120), options={"g": "600", "sc_threshold": "0"}
  )
  found, _ = _read(path, [(0, 4), (80, 119)])
  assert not any(frame.left_out for frame in found)


_MS = Fraction(1, 1000)
_GROUP = {"g": "20", "sc_threshold": "0"}
# Name, and frames whose stamps are not what the header lets expect.
_LIARS = {
  "no rate in the header": ("a.mkv", Video(even(30, 200), _MS, rate=30)),
  "header of twice the rate": (
    "a.mkv",
    Video(even(Fraction(30000, 1001), 200), _MS, rate=Fraction(60)),
  ),
  "late start": (
    "a.mp4",
    Video(even(30, 200, Fraction(617, 500)), Fraction(1, 90_000), rate=30),
  ),
  "transport stream": ("a.ts", Video(even(25, 200), rate=25)),
  "half of the rate, later": (
    "a.mp4",
    Video(
      [*even(30, 100), *even(15, 100, Fraction(100, 30))],
      Fraction(1, 30),
      rate=30,
    ),
  ),
  "last picture held": (
    "a.mkv",
    Video(even(30, 200), _MS, rate=30, last_s=Fraction(3)),
  ),
}


@pytest.mark.parametrize("name", _LIARS)
def test_what_a_header_says_moves_nothing(tmp_path, name):
  suffix, video = _LIARS[name]
  video = dataclasses.replace(
    video, rate=Fraction(video.rate), options=video.options | _GROUP
  )
  path = timing_files.write(tmp_path / suffix, video)
  if name == "no rate in the header":
    timing_files.without_default_duration(path)
  _check(path, [(0, 9), (90, 100), (180, 199)], most=0.6)


def test_where_the_clock_is_set_back_all_is_decoded(tmp_path):
  video = Video(even(25, 100), rate=Fraction(25), options=_GROUP)
  parts = [
    timing_files.write(tmp_path / f"{number}.ts", video).read_bytes()
    for number in range(2)
  ]
  path = tmp_path / "joined.ts"
  path.write_bytes(b"".join(parts))
  found, _ = _read(path, [(0, 9), (90, 100), (180, 190)])
  assert len(found) == 200
  assert not any(frame.left_out for frame in found)


def _broken(path, number):
  """Overwrites the middle of a packet, in the order of the file."""
  with av.open(str(path)) as container:
    packets = [p for p in container.demux(video=0) if p.size]
    packet = packets[number]
    place, size = packet.pos, packet.size
  data = bytearray(path.read_bytes())
  data[place + size // 4 : place + size] = bytes(size - size // 4)
  path.write_bytes(data)


def test_damage_that_is_looked_at_is_told_and_nothing_is_left_out(make_clip):
  path = make_clip(images=_moving(160), options=_GROUPS["closed"])
  _broken(path, 3)
  wanted = [(0, 9), (90, 100), (150, 159)]
  all_, damage = _read(path)
  found, seen = _read(path, wanted)
  assert damage and seen == damage
  assert [f.time for f in found] == [f.time for f in all_]
  assert not any(frame.left_out for frame in found)


def test_damage_where_nobody_looks_does_no_harm(make_clip):
  path = make_clip(images=_moving(160), options=_GROUPS["closed"])
  whole, _ = _read(path)
  _broken(path, 45)
  found, damage = _read(path, [(0, 9), (90, 100), (150, 159)])
  assert damage is None
  assert len(found) == 160
  for number in (5, 95, 155):
    np.testing.assert_array_equal(found[number].image, whole[number].image)


def test_a_file_that_is_cut_short_is_told(make_clip):
  path = make_clip("a.mkv", images=_moving(400), options=_GROUPS["closed"])
  data = path.read_bytes()
  path.write_bytes(data[: len(data) // 2])
  found, damage = _read(path, [(0, 9), (90, 100), (300, 310)])
  assert damage or len(found) < 400
