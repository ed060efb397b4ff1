"""What is read from any file: Android's tags, edit lists, who wrote it."""

import io
import struct

import av
import pytest

from speedflow import declared
from speedflow.errors import SpeedflowError
from tests.camera_files import mdta

_NTSC = 1000 / 1001


def _float(value):
  return 23, struct.pack(">f", value)


def _text(value):
  return 1, value.encode()


def test_plain_file_declares_nothing(make_filmed):
  found = declared.read(make_filmed())
  assert not found.says_anything
  assert (found.capture_fps, found.speed, found.trust) == (None, None, None)
  assert found.stored_fps == pytest.approx(30)
  assert not found.decides


@pytest.mark.parametrize(
  ("stored", "speed"), [(30, 0.125), (240, 1.0), ("30000/1001", 0.125 * _NTSC)]
)
def test_android_slow_motion(make_filmed, stored, speed):
  tags = {
    "com.android.version": _text("14"),
    "com.android.capture.fps": _float(240),
  }
  found = declared.read(make_filmed(fps=stored, moov=mdta(tags)))
  assert found.capture_fps == 240
  assert found.speed == pytest.approx(speed, rel=1e-3)
  assert found.source == "com.android.capture.fps"
  assert found.trust == "camera"
  assert found.decides


def test_android_time_lapse_plays_fast(make_filmed):
  tags = {"com.android.capture.fps": _float(2)}
  found = declared.read(make_filmed(moov=mdta(tags)))
  assert found.speed == pytest.approx(15)


@pytest.mark.parametrize("bits", [0x7F800000, 0x7FC00000, 0, 0x80000000])
def test_android_rate_that_is_none(make_filmed, bits):
  tags = {"com.android.capture.fps": (23, struct.pack(">I", bits))}
  assert declared.read(make_filmed(moov=mdta(tags))).capture_fps is None


def _held(path, count):
  """Holds the first picture of `count` for as long as 90 of them."""
  data = bytearray(path.read_bytes())
  # The edit list would hide what comes later.
  struct.pack_into(">I", data, data.index(b"elst") + 12, 10_000)
  at = data.index(b"stts")
  length = int.from_bytes(data[at + 16 : at + 20])
  data[at + 8 : at + 20] = struct.pack(
    ">IIIII", 2, 1, 90 * length, count - 1, length
  )
  for kind in (b"stts", b"stbl", b"minf", b"mdia", b"trak", b"moov"):
    place = data.index(kind) - 4
    size = int.from_bytes(data[place : place + 4])
    struct.pack_into(">I", data, place, size + 8)
  path.write_bytes(bytes(data))
  return path


@pytest.mark.parametrize(("count", "steady"), [(40, True), (3, False)])
def test_held_pictures_change_no_rate(make_filmed, count, steady):
  moov = mdta({"com.android.capture.fps": _float(120)})
  found = declared.read(_held(make_filmed(frames=count, moov=moov), count))
  assert found.stored_fps == pytest.approx(30, rel=1e-3)
  assert (found.steady, found.decides) == (steady, steady)


def _edits(version, entries):
  wide = ">Qqi" if version else ">Iii"
  packed = b"".join(struct.pack(wide, *entry) for entry in entries)
  return struct.pack(">II", version << 24, len(entries)) + packed


def _with_edits(path, content):
  """Puts another edit list in the place of the one that PyAV wrote."""
  data = bytearray(path.read_bytes())
  at = data.index(b"elst") - 4
  old = int.from_bytes(data[at : at + 4])
  more = 8 + len(content) - old
  data[at : at + old] = struct.pack(">I4s", 8 + len(content), b"elst") + content
  for kind in (b"edts", b"trak", b"moov"):
    place = data.index(kind) - 4
    size = int.from_bytes(data[place : place + 4])
    struct.pack_into(">I", data, place, size + more)
  path.write_bytes(bytes(data))
  return path


@pytest.mark.parametrize("version", [0, 1])
def test_edit_list_rates(make_filmed, version):
  entries = [
    (500, -1, 1 << 17),
    (1000, 0, 1 << 15),
    (250, 512, 0),
    (300, 0, 1 << 16),
    (500, 0, 3 << 15),
  ]
  path = _with_edits(make_filmed(), _edits(version, entries))
  found = declared.read(path)
  spans = [(r.start_s, r.end_s, r.rate) for r in found.retimings]
  assert spans == [(0.5, 1.5, 0.5), (1.5, 1.75, 0.0), (2.05, 2.55, 1.5)]
  assert found.says_anything
  assert found.capture_fps is None


def test_edit_list_of_an_absurd_count_is_read_as_far_as_it_goes(make_filmed):
  content = bytearray(_edits(0, [(1000, 0, 1 << 15)]))
  struct.pack_into(">I", content, 4, 0xFFFFFFFF)
  found = declared.read(_with_edits(make_filmed(), bytes(content)))
  assert [r.rate for r in found.retimings] == [0.5]


def test_retimed_edits_keep_a_declared_rate_from_deciding(make_filmed):
  path = make_filmed(moov=mdta({"com.android.capture.fps": _float(240)}))
  assert declared.read(path).decides
  found = declared.read(_with_edits(path, _edits(0, [(1000, 0, 1 << 15)])))
  assert found.trust == "camera"
  assert not found.decides


@pytest.mark.parametrize(
  ("key", "value", "tool"),
  [
    ("com.apple.quicktime.software", "Final Cut Pro 10.6", "Final Cut"),
    ("software", "DaVinci Resolve Studio 18", "DaVinci Resolve"),
    ("encoder", "Lavf60.16.100", "FFmpeg"),
    ("encoder", "HandBrake 1.7.2", "HandBrake"),
    ("comment", "made with CapCut", "CapCut"),
  ],
)
def test_signature_of_software_takes_the_trust_away(
  make_filmed, key, value, tool
):
  tags = {"com.android.capture.fps": _float(240), key: _text(value)}
  found = declared.read(make_filmed(moov=mdta(tags)))
  assert found.tools == (tool,)
  assert found.trust == "export"
  assert found.speed == pytest.approx(0.125)
  assert not found.decides


@pytest.mark.parametrize(
  ("key", "value"),
  [
    ("encoder", "GoPro AVC encoder"),
    ("com.apple.quicktime.software", "17.5.1"),
    ("handler_name", "VideoHandle"),
  ],
)
def test_signature_of_a_camera_does_not(make_filmed, key, value):
  assert declared.read(make_filmed(moov=mdta({key: _text(value)}))).tools == ()


def test_x264_is_known_by_its_message_in_the_picture(make_video):
  assert "x264" in declared.read(make_video()).tools


def test_tags_survive_a_change_of_container_but_not_the_trust(
  make_filmed, tmp_path
):
  path = make_filmed(moov=mdta({"com.android.capture.fps": _float(240)}))
  copy = tmp_path / "copy.mkv"
  with av.open(str(path)) as source, av.open(str(copy), "w") as target:
    target.metadata.update(source.metadata)
    stream = target.add_stream_from_template(source.streams.video[0])
    for packet in source.demux(video=0):
      if packet.dts is not None:
        packet.stream = stream
        target.mux(packet)
  found = declared.read(copy)
  assert found.capture_fps == 240
  assert found.trust == "export"


def test_file_without_a_picture_is_refused_in_one_line(tmp_path):
  path = tmp_path / "sound.wav"
  written = io.BytesIO()
  with av.open(written, "w", format="wav") as container:
    stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
    frame = av.AudioFrame(format="s16", layout="mono", samples=800)
    frame.sample_rate = 8000
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
  path.write_bytes(written.getvalue())
  with pytest.raises(SpeedflowError, match="no video stream"):
    declared.read(path)
