"""Files that do not keep what their header says: flash and beep stay together.

Each kind is rebuilt from what people complain of; pictures flash and sound
beeps at whole seconds, so that lengths and sync are known.
"""

import json
import pathlib
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from bench import timing_files
from bench.timing_files import Sound, Video, even
from speedflow import api, cli, media
from speedflow.errors import SpeedflowError

_MS = Fraction(1, 1000)
_IN_ORDER = {"bf": "0"}


def _write(path, video, duration_s, **given):
  return timing_files.write(path, video, Sound(Fraction(duration_s)), **given)


def _browser(folder):
  """A browser's recorder: whole milliseconds, no rate."""
  path = folder / "browser.mkv"
  video = Video(even(30, 120), _MS, rate=Fraction(30))
  return timing_files.without_default_duration(_write(path, video, 4))


def _header_of_another_rate(folder):
  video = Video(even(Fraction(30000, 1001), 120), _MS, rate=Fraction(60))
  flashes = [Fraction(1001 * n, 1000) for n in range(4)]
  return _write(folder / "header.mkv", video, 4, flash_s=flashes)


def _held(suffix, time_base=Fraction(1, 90_000)):
  def make(folder):
    video = Video(
      even(30, 60),
      time_base,
      rate=Fraction(30),
      options=_IN_ORDER,
      last_s=Fraction(3),
    )
    return _write(folder / f"held{suffix}", video, 5)

  return make


def _dropped(folder):
  times = [t for n, t in enumerate(even(25, 100)) if n not in (30, 31, 60)]
  video = Video(times, Fraction(1, 25), "mpeg4", rate=Fraction(25))
  sound = Sound(Fraction(4), codec="pcm_s16le", sample_format="s16")
  return timing_files.write(folder / "dropped.avi", video, sound)


_HALVED = even(30, 60) + even(15, 30, 2)


def _coarse(folder):
  """A time scale that equals the frame rate; half as many frames later."""
  video = Video(_HALVED, Fraction(1, 30), rate=Fraction(30), options=_IN_ORDER)
  options = {"video_track_timescale": "30"}
  return _write(folder / "coarse.mp4", video, 4, container_options=options)


def _halved(folder):
  video = Video(_HALVED, _MS, rate=Fraction(30), options=_IN_ORDER)
  return _write(folder / "halved.mkv", video, 4)


def _transport(folder, name, start_s=0):
  video = Video(even(25, 100), rate=Fraction(25), options={"g": "25"})
  options = {"output_ts_offset": str(float(start_s))}
  return _write(folder / name, video, 4, container_options=options)


def _joined(*starts_s):
  def make(folder):
    parts = [
      _transport(folder, f"{number}.ts", start_s)
      for number, start_s in enumerate(starts_s)
    ]
    path = folder / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path

  return make


def _wrapped(folder):
  return _transport(folder, "wrapped.ts", 2**33 / 90_000 - 2)


# What is made, its rate and whether that varies, its pictures, its length.
_KINDS = {
  "no rate": (_browser, 30, False, 120, 4.0),
  "wrong rate": (
    _header_of_another_rate, Fraction(30000, 1001), False, 120, 4.004,
  ),
  "held, MP4": (_held(".mp4"), 30, False, 60, 4.967),
  "held, Matroska": (_held(".mkv", _MS), 30, False, 60, 4.967),
  "dropped frames": (_dropped, Fraction(800, 33), True, 97, 4.0),
  "coarse clock": (_coarse, Fraction(1335, 59), True, 90, 3.98),
  "half the rate": (_halved, Fraction(89000, 3933), True, 90, 3.98),
  "clock restarts": (_joined(0, 0), 25, True, 200, 8.03),
  "clock jumps": (_joined(0, 996), 25, True, 200, 8.03),
  "clock set back": (_joined(1000, 3), 25, True, 200, 8.03),
  "three clocks": (_joined(5, 500, 2), 25, True, 300, 12.06),
  "clock wraps": (_wrapped, 25, False, 100, 4.0),
}  # fmt: skip


@pytest.mark.parametrize("kind", _KINDS)
def test_flash_and_beep_stay_together(kind, tmp_path):
  make, fps, varies, count, length = _KINDS[kind]
  path = make(tmp_path)
  info = media.probe(path)
  with media.VideoReader(path) as reader:
    frames = list(reader)
  assert reader.damage is None
  assert len(frames) == len(info.timeline.times) == count
  assert info.variable_frame_rate == varies
  # The joint between two clocks may be a frame longer.
  assert float(info.fps) == pytest.approx(float(fps), rel=0.01 * varies)
  first = frames[0].time
  assert float(info.timeline.end - first) == pytest.approx(length, abs=0.03)
  _assert_in_step(frames, media.read_audio(path), 1 / fps)


def _assert_in_step(frames, audio, tolerance_s):
  flashes = timing_files.flash_times(frames)
  beeps = timing_files.beep_times(audio)
  assert len(flashes) >= 2
  for flash in flashes:
    assert min(abs(beep - flash) for beep in beeps) <= tolerance_s


@pytest.mark.parametrize(
  "kind", ["no rate", "held, MP4", "coarse clock", "clock jumps", "clock wraps"]
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_more_frames_keep_length_and_sync(kind, suffix, tmp_path):
  make, _, varies, count, length = _KINDS[kind]
  path = make(tmp_path)
  out = tmp_path / f"out{suffix}"
  api.superres(path, out, exposure=0.0)
  info = media.probe(out)
  with media.VideoReader(out) as reader:
    frames = list(reader)
  assert len(frames) == len(info.timeline.times) == 2 * count
  before = media.probe(path)
  assert float(info.fps) == pytest.approx(2 * float(before.fps), rel=0.03)
  if not varies:
    assert info.fps == 2 * before.fps
  shown = float(info.timeline.end - frames[0].time)
  assert shown == pytest.approx(length, abs=0.03)
  _assert_in_step(frames, media.read_audio(out), 0.034)


def test_our_own_matroska_states_its_rate(tmp_path):
  path = _write(tmp_path / "a.mp4", Video(even(30, 30), rate=Fraction(30)), 1)
  out = tmp_path / "out.mkv"
  api.superres(path, out, exposure=0.0)
  with av.open(str(out)) as container:
    # What every other player reads.
    assert container.streams.video[0].average_rate == 60


def test_a_long_last_delay_of_a_gif_changes_no_other(tmp_path):
  video = Video(
    even(25, 50), Fraction(1, 100), "gif", "rgb8", rate=Fraction(25)
  )
  path = timing_files.write(
    tmp_path / "a.gif", video, container_options={"final_delay": "300"}
  )
  info = media.probe(path)
  assert info.fps == 25
  assert not info.variable_frame_rate
  assert float(info.timeline.end) == pytest.approx(4.96)
  with media.VideoReader(path) as reader:
    assert timing_files.flash_times(reader) == [0.0, 1.0]
  assert reader.damage is None


def test_a_dv_stream_is_not_a_frame_a_tick(tmp_path):
  path = tmp_path / "a.dv"
  with av.open(str(path), "w") as container:
    stream = container.add_stream("dvvideo", rate=25)
    stream.width, stream.height, stream.pix_fmt = 720, 576, "yuv420p"
    for number in range(50):
      image = np.full((576, 720, 3), 4 * number, np.uint8)
      picture = av.VideoFrame.from_ndarray(image, "rgb24")
      picture.pts, picture.time_base = number, Fraction(1, 25)
      container.mux(stream.encode(picture))
    container.mux(stream.encode(None))
  info = media.probe(path)
  assert (info.fps, info.fps_nominal) == (25, 25)
  assert info.timeline.end == 2


@pytest.mark.parametrize(
  ("suffix", "codec"), [(".h264", "libx264"), (".m2v", "mpeg2video")]
)
def test_a_bare_stream_has_the_rate_that_is_in_it(tmp_path, suffix, codec):
  video = Video(even(50, 100), Fraction(1, 50), codec, rate=Fraction(50))
  path = timing_files.write(tmp_path / f"a{suffix}", video)
  assert media.probe(path).fps == 50
  with media.VideoReader(path) as reader:
    assert np.diff(timing_files.flash_times(reader)) == pytest.approx([1.0])


def test_a_bare_stream_without_a_rate_is_refused(tmp_path):
  video = Video(
    even(50, 20), Fraction(1, 50), "mjpeg", "yuvj420p", rate=Fraction(50)
  )
  path = timing_files.write(tmp_path / "a.mjpeg", video)
  with pytest.raises(SpeedflowError, match="true frame rate"):
    media.probe(path)


def test_a_bare_stream_has_the_rate_that_is_given(tmp_path, capsys):
  video = Video(
    even(50, 30), Fraction(1, 50), "mjpeg", "yuvj420p", rate=Fraction(50)
  )
  bare = timing_files.write(tmp_path / "a.mjpeg", video)
  assert (
    cli.main(["probe", "--json", "--raw-fps", "30000/1001", str(bare)]) == 0
  )
  told = json.loads(capsys.readouterr().out)
  assert told["video"]["fps"] == pytest.approx(30000 / 1001)
  out = tmp_path / "out.mp4"
  options = ["--raw-fps", "50", "--exposure", "0"]
  assert cli.main(["superres", str(bare), str(out), *options]) == 0
  assert media.probe(out).fps == 100
  # What was given holds for that command alone.
  with pytest.raises(SpeedflowError, match="--raw-fps"):
    media.probe(bare)


def test_a_rate_in_the_stream_is_not_replaced(tmp_path):
  video = Video(even(50, 20), Fraction(1, 50), rate=Fraction(50))
  path = timing_files.write(tmp_path / "a.h264", video)
  with media.raw_streams_at(Fraction(25)):
    assert media.probe(path).fps == 50


def test_what_follows_a_lost_packet_is_used_and_the_loss_told(tmp_path):
  video = Video(even(25, 200), rate=Fraction(25), options={"g": "25"})
  path = _write(tmp_path / "a.ts", video, 8)
  data = path.read_bytes()
  packets = [data[i : i + 188] for i in range(0, len(data), 188)]
  pictures = [
    number
    for number, packet in enumerate(packets)
    if (packet[1] & 0x1F) << 8 | packet[2] == 0x100
  ]
  del packets[pictures[len(pictures) * 2 // 5]]
  path.write_bytes(b"".join(packets))
  with media.VideoReader(path) as reader:
    frames = list(reader)
  assert "damaged" in reader.damage
  assert 200 - 25 <= len(frames) < 200
  assert len(reader.resumed) == 1
  _assert_in_step(frames, media.read_audio(path), 0.04)
  for answer in (api.estimate(path), api.detect(path)):
    assert "damaged" in answer.damage
    assert answer.to_json()["damage"] == answer.damage


@pytest.mark.parametrize("turned", [False, True])
def test_pixels_that_are_not_square_keep_their_shape(tmp_path, turned):
  path = tmp_path / "a.mp4"
  aspect = Fraction(16, 11)
  with media.VideoWriter(path, 25, (64, 48), pixel_aspect=aspect) as writer:
    for number in range(6):
      writer.write(np.full((48, 64, 3), 30 * number, np.uint8))
  if turned:
    path = _turned(path, tmp_path / "turned.mp4")
    aspect = 1 / aspect
  info = media.probe(path)
  assert info.pixel_aspect == aspect
  wide, high = (64, 48) if not turned else (48, 64)
  assert (info.width, info.height) == (wide, high)
  shape = wide * aspect / high
  with media.VideoReader(path, short_side=40) as reader:
    assert reader.width / reader.height == pytest.approx(float(shape), rel=0.03)
  out = tmp_path / "out.mp4"
  api.superres(path, out, exposure=0.0)
  made = media.probe(out)
  assert made.width * made.pixel_aspect / made.height == shape


def _turned(path, out):
  with av.open(str(path)) as given, av.open(str(out), "w") as container:
    stream = container.add_stream_from_template(given.streams.video[0])
    stream.set_display_rotation(90)
    for packet in given.demux(video=0):
      if packet.pts is not None:
        packet.stream = stream
        container.mux(packet)
  return out


@pytest.mark.parametrize("codec", ["libvpx-vp9"])
def test_transparent_webm_is_seen_as_that(tmp_path, codec):
  path = tmp_path / "a.webm"
  with av.open(str(path), "w") as container:
    stream = container.add_stream(codec, rate=25)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuva420p"
    for number in range(6):
      image = np.full((48, 64, 4), 30 * number, np.uint8)
      image[..., 3] = np.arange(64) * 4
      picture = av.VideoFrame.from_ndarray(image, "rgba")
      picture.pts, picture.time_base = number, Fraction(1, 25)
      container.mux(stream.encode(picture))
    container.mux(stream.encode(None))
  assert media.probe(path).has_alpha
  with pytest.raises(SpeedflowError, match="transparent"):
    api.superres(path, tmp_path / "out.mp4", exposure=0.0)
  api.superres(path, tmp_path / "out.mov", exposure=0.0)
  with media.VideoReader(tmp_path / "out.mov", pixel_format="rgba") as reader:
    alpha = next(reader).image[24, :, 3].astype(int)
  assert np.abs(alpha - np.arange(64) * 4).mean() < 8


def _sound(path, layout, codec="flac", sample_format="s16"):
  video = Video(even(25, 25), rate=Fraction(25))
  sound = Sound(
    Fraction(1), layout=layout, codec=codec, sample_format=sample_format
  )
  return timing_files.write(path, video, sound)


def _channels(path):
  with av.open(str(path)) as container:
    frame = next(container.decode(audio=0))
    return frame.layout.name


@pytest.mark.parametrize(
  ("layout", "suffix", "kept"),
  [
    ("quad", ".mp4", "quad"),
    ("2.1", ".mp4", "2.1"),
    ("5.1", ".mp4", "5.1"),
    ("5.1(side)", ".mp4", "5.1"),
    ("7.1", ".mp4", "7.1"),
    ("6.1", ".mp4", "6.1"),
    ("hexagonal", ".mkv", "hexagonal"),
    ("7.1(wide)", ".mov", "7.1(wide)"),
  ],
)
def test_channels_stay_where_they_are_heard(tmp_path, layout, suffix, kept):
  path = _sound(tmp_path / "a.mkv", layout)
  audio = media.read_audio(path)
  assert audio.layout == layout
  out = tmp_path / f"out{suffix}"
  api.superres(path, out, exposure=0.0)
  assert _channels(out) == kept
  loudest = np.abs(media.read_audio(out).samples).max(0).argmax()
  assert loudest == audio.samples.shape[1] - 1


def test_channels_that_a_container_would_move_are_refused(tmp_path):
  path = _sound(tmp_path / "a.mkv", "hexagonal")
  with pytest.raises(SpeedflowError, match=r"name the output .mov or .mkv"):
    api.superres(path, tmp_path / "out.mp4", exposure=0.0)
  assert not (tmp_path / "out.mp4").exists()


def test_what_is_left_out_is_told_and_the_title_kept(tmp_path):
  path = tmp_path / "a.mkv"
  with av.open(str(path), "w") as container:
    container.metadata["title"] = "A Day Out"
    stream = container.add_stream("libx264", rate=25)
    stream.width, stream.height = 64, 48
    sounds = [
      container.add_stream("flac", rate=48_000, layout="mono") for _ in range(2)
    ]
    for number in range(6):
      image = np.full((48, 64, 3), 30 * number, np.uint8)
      picture = av.VideoFrame.from_ndarray(image, "rgb24")
      picture.pts, picture.time_base = number, Fraction(1, 25)
      container.mux(stream.encode(picture))
    for sound in sounds:
      frame = av.AudioFrame.from_ndarray(
        np.zeros((1, 4608), np.int16), "s16", "mono"
      )
      frame.sample_rate, frame.pts = 48_000, 0
      container.mux(sound.encode(frame))
      container.mux(sound.encode(None))
    container.mux(stream.encode(None))
  made = api.superres(path, tmp_path / "out.mp4", exposure=0.0)
  assert made.left_out == ("1 more sound track",)
  assert media.probe(tmp_path / "out.mp4").title == "A Day Out"


@pytest.mark.parametrize(
  ("size", "matrix"),
  [((64, 48), 5), ((1280, 528), 1), ((720, 576), 5), ((640, 720), 1)],
)
def test_colour_that_is_not_stated_stays_so(tmp_path, size, matrix):
  path = _untagged(tmp_path / "a.mp4", size)
  colour = media.probe(path).colour
  assert (colour.matrix, colour.stated) == (matrix, False)
  out = tmp_path / "out.mp4"
  with media.VideoWriter(out, 25, size, colour=colour) as writer:
    writer.write(np.full((size[1], size[0], 3), 90, np.uint8))
    writer.write(np.full((size[1], size[0], 3), 99, np.uint8))
  assert media.probe(out).colour == colour
  with media.VideoReader(out) as reader:
    assert np.abs(next(reader).image.astype(int) - 90).max() <= 2


def _untagged(path: pathlib.Path, size: tuple[int, int]):
  """A video that does not state its colours."""
  with av.open(str(path), "w") as container:
    stream = container.add_stream("libx264", rate=25)
    stream.width, stream.height = size
    for number in range(3):
      image = np.full((size[1], size[0], 3), 80 + number, np.uint8)
      container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
    container.mux(stream.encode(None))
  return path


def test_a_clock_beyond_all_reason_is_refused(tmp_path):
  path = tmp_path / "a.mkv"
  with av.open(str(path), "w") as container:
    stream = container.add_stream("libx264", rate=25)
    stream.width, stream.height = 64, 48
    stream.time_base = Fraction(1, 1000)
    for number in range(6):
      image = np.full((48, 64, 3), 30 * number, np.uint8)
      picture = av.VideoFrame.from_ndarray(image, "rgb24")
      picture.pts, picture.time_base = 2**50 + 40 * number, Fraction(1, 1000)
      container.mux(stream.encode(picture))
    container.mux(stream.encode(None))
  with pytest.raises(SpeedflowError, match="years"):
    media.probe(path)


def test_a_cover_is_no_moving_picture(tmp_path):
  path = tmp_path / "song.mp3"
  with av.open(str(path), "w") as container:
    sound = container.add_stream("mp3", rate=44_100, layout="mono")
    cover = container.add_stream("png", rate=1)
    cover.width, cover.height, cover.pix_fmt = 16, 16, "rgb24"
    cover.disposition = Disposition.attached_pic
    picture = np.zeros((16, 16, 3), np.uint8)
    packets = cover.encode(av.VideoFrame.from_ndarray(picture, "rgb24"))
    container.mux(packets + cover.encode(None))
    frame = av.AudioFrame.from_ndarray(
      np.zeros((1, 1152 * 9), np.float32), "fltp", "mono"
    )
    frame.sample_rate, frame.pts = 44_100, 0
    container.mux(sound.encode(frame) + sound.encode(None))
  with pytest.raises(SpeedflowError, match="cover"):
    media.probe(path)


def test_an_animated_webp_is_called_that(tmp_path):
  path = tmp_path / "a.webp"
  pages = [Image.new("RGB", (16, 16), (90 * n, 0, 0)) for n in range(3)]
  pages[0].save(path, save_all=True, append_images=pages[1:])
  with pytest.raises(SpeedflowError, match="animated WebP"):
    media.probe(path)


@pytest.mark.parametrize("suffix", [".flv", ".ts", ".mkv", ".mp4"])
@pytest.mark.parametrize("start_s", [0.1, 0.5, 2.5])
def test_a_span_of_sound_is_where_it_is_in_the_whole(tmp_path, suffix, start_s):
  path = _write(
    tmp_path / f"a{suffix}", Video(even(30, 120), _MS, rate=Fraction(30)), 4
  )
  whole = media.read_audio(path)
  start_s += whole.start_s
  part = media.read_audio(path, start_s=start_s, end_s=start_s + 1.2)
  assert part.start_s == pytest.approx(start_s, abs=1e-4)
  assert timing_files.beep_times(part) == pytest.approx(
    [
      time
      for time in timing_files.beep_times(whole)
      if start_s <= time < start_s + 1.2
    ],
    abs=2e-3,
  )
