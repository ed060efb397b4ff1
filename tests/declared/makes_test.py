"""What cameras of each make declare: files from their documentation."""

import base64
import plistlib
import struct
import zlib

import pytest

from speedflow import declared
from tests.camera_files import box, mdta

_NTSC = 1000 / 1001


def _float(value):
  return 23, struct.pack(">f", value)


def _text(value):
  return 1, value.encode()


_SONY = (
  '<?xml version="1.0" encoding="UTF-8"?>\n<NonRealTimeMeta '
  'xmlns="urn:schemas-professionalDisc:nonRealTimeMeta:ver.2.20">'
  '<Duration value="210"/><VideoFormat><VideoFrame videoCodec="AVC_1920_1080'
  '_HP@L51" captureFps="{}" formatFps="{}"/></VideoFormat><Device '
  'manufacturer="Sony" modelName="ILCE-7CM2"/></NonRealTimeMeta>'
)


def _sony_meta(document):
  handler = box(b"hdlr", struct.pack(">II4s", 0, 0, b"nrtm"), bytes(13))
  return box(
    b"meta", bytes(4), handler, box(b"xml ", bytes(4), document.encode())
  )


@pytest.mark.parametrize("place", ["tail", "moov"])
def test_sony_slow_and_quick(make_filmed, place):
  meta = _sony_meta(_SONY.format("119.88p", "23.98p"))
  found = declared.read(make_filmed(fps="24000/1001", **{place: meta}))
  assert found.capture_fps == pytest.approx(120 * _NTSC, rel=1e-9)
  assert found.play_fps == pytest.approx(24 * _NTSC, rel=1e-9)
  assert found.speed == pytest.approx(0.2, rel=1e-3)
  assert (found.source, found.trust) == ("NonRealTimeMeta", "camera")
  assert "ILCE-7CM2" in found.evidence()[0]


def test_sony_document_beside_the_clip(make_filmed):
  path = make_filmed("C0001.MP4", fps=25)
  beside = path.with_name("C0001M01.XML")
  beside.write_text(_SONY.format("100p", "25p"))
  found = declared.read(path)
  assert found.speed == pytest.approx(0.25)
  assert declared.companions(path) == [beside]


def test_sony_fields_are_no_frames(make_filmed):
  meta = _sony_meta(_SONY.format("59.94i", "59.94i"))
  found = declared.read(make_filmed(fps="30000/1001", tail=meta))
  assert found.speed == pytest.approx(1, rel=1e-3)


def test_playing_rate_that_is_not_the_stored_one_is_contradictory(make_filmed):
  meta = _sony_meta(_SONY.format("120p", "24p"))
  found = declared.read(make_filmed(fps=60, tail=meta))
  assert found.trust == "contradictory"
  assert not found.decides


def test_sony_document_with_entities_declares_nothing(make_filmed):
  bomb = '<!DOCTYPE a [<!ENTITY b "bbbb">]>' + _SONY.format("&b;", "24p")
  found = declared.read(make_filmed(tail=_sony_meta(bomb)))
  assert found.capture_fps is None


def _trailer(entries):
  """A SEF trailer of (type, name, text)."""
  data, places = b"", []
  for kind, name, text in entries:
    places.append((kind, len(data)))
    data += struct.pack("<HHI", 0, kind, len(name)) + (name + text).encode()
  ends = [at for _, at in places[1:]] + [len(data)]
  table = b"SEFH" + struct.pack("<II", 106, len(entries))
  for (kind, at), end in zip(places, ends, strict=True):
    table += struct.pack("<HHII", 0, kind, len(data) - at, end - at)
  return data + table + struct.pack("<I", len(table)) + b"SEFT"


def _smta(mode, rate=0):
  return box(
    b"udta",
    box(
      b"smta",
      bytes(4),
      box(b"saut", bytes(4), bytes([0, mode, 1, 4])),
      box(b"srfr", struct.pack(">I", rate << 16)),
    ),
  )


@pytest.mark.parametrize(
  ("mode", "stated", "capture"), [(12, 0, 240), (13, 0, 120), (21, 480, 480)]
)
def test_samsung_slow_motion(make_filmed, mode, stated, capture):
  text = "500:1000:3*1100:1200:1"
  path = make_filmed(
    moov=_smta(mode, stated),
    tail=box(
      b"sefd",
      _trailer([(0xA01, "Other", "x"), (0x890, "SlowMotion_Data", text)]),
    ),
  )
  found = declared.read(path)
  assert found.capture_fps == capture
  assert found.speed == pytest.approx(30 / capture)
  assert (found.source, found.trust) == ("smta", "camera")
  fastest = capture / 30
  assert [(r.start_s, r.end_s, r.rate) for r in found.retimings] == [
    (0.5, 1.0, fastest / 4),
    (1.1, 1.2, fastest),
  ]


def test_samsung_super_slow_motion_states_no_rate(make_filmed):
  tail = _trailer([(0xB00, "Super_SlowMotion_Data", "997:13530:1197:1!1")])
  path = make_filmed(moov=_smta(7, 30), tail=box(b"sefd", tail))
  found = declared.read(path)
  assert found.capture_fps is None
  assert sum("super slow motion" in line for line in found.evidence()) == 2


def test_two_rates_that_differ_are_contradictory(make_filmed):
  keys = mdta({"com.android.capture.fps": _float(120)})
  found = declared.read(make_filmed(moov=_smta(12) + keys))
  assert found.trust == "contradictory"
  assert not found.decides


def _apple(intent):
  return {
    "com.apple.quicktime.make": _text("Apple"),
    "com.apple.quicktime.model": _text("iPhone 15"),
    "com.apple.quicktime.software": _text("18.3.1"),
    "com.apple.quicktime.full-frame-rate-playback-intent": (
      22,
      bytes([intent]),
    ),
  }


def _sidecar(path, rate, start, length):
  span = {
    name: {"value": value, "timescale": 1000, "epoch": 0, "flags": 1}
    for name, value in (("start", start), ("duration", length))
  }
  slow = {"slowMotion": {"rate": rate, "regions": [{"timeRange": span}]}}
  inner = plistlib.dumps(slow, fmt=plistlib.FMT_BINARY)
  path.with_suffix(".AAE").write_bytes(
    plistlib.dumps(
      {
        "adjustmentFormatIdentifier": "com.apple.video.slomo",
        "adjustmentFormatVersion": "1.1",
        "adjustmentData": inner,
      }
    )
  )


def test_iphone_original_is_stored_as_filmed(make_filmed):
  path = make_filmed("IMG_0001.mp4", fps=240, moov=mdta(_apple(0)))
  _sidecar(path, 0.125, 50, 100)
  found = declared.read(path)
  assert found.speed == pytest.approx(1)
  assert found.trust == "tag"
  assert not found.decides
  (span,) = found.retimings
  assert (span.start_s, span.rate) == (0.05, 0.125)
  assert span.end_s == pytest.approx(0.15)
  assert span.source == "AAE sidecar"


def test_iphone_export_declares_nothing(make_filmed):
  assert declared.read(make_filmed(moov=mdta(_apple(0)))).capture_fps is None


@pytest.mark.parametrize("deflated", [False, True])
def test_sidecar_that_is_damaged_says_nothing(make_filmed, deflated):
  path = make_filmed("IMG_0002.mp4")
  inner = b"bplist00\xff\xff\xff\xff"
  if deflated:
    inner = zlib.compress(b"x" * 100)[2:-4]
  encoded = base64.b64encode(inner).decode()
  path.with_suffix(".AAE").write_text(
    '<?xml version="1.0"?><plist version="1.0"><dict><key>adjustmentFormat'
    "Identifier</key><string>com.apple.video.slomo</string><key>adjustmentData"
    f"</key><data>{encoded}</data></dict></plist>"
  )
  assert declared.read(path).retimings == ()


def _gpmf(**settings):
  inner = b""
  for key, (kind, size, value) in settings.items():
    count = len(value) // size
    padded = value + bytes(-len(value) % 4)
    inner += key.encode() + struct.pack(">cBH", kind, size, count) + padded
  return b"DEVC" + struct.pack(">BBH", 0, 1, len(inner)) + inner


def test_gopro_stores_what_it_films(make_filmed):
  rate = struct.pack(">II", 240000, 1001)
  box_ = box(
    b"udta",
    box(
      b"GPMF",
      _gpmf(
        MINF=(b"c", 1, b"HERO11 Black"),
        MTYP=(b"B", 1, b"\0"),
        RATE=(b"c", 1, b"\0\0"),
        VFPS=(b"L", 4, rate),
      ),
    ),
  )
  found = declared.read(make_filmed(fps=240, moov=box_))
  assert found.capture_fps == pytest.approx(240 * _NTSC)
  assert found.speed == pytest.approx(1 / _NTSC, rel=1e-3)
  assert found.trust == "camera"


@pytest.mark.parametrize(
  ("text", "capture"), [(b"0_5SEC", 2), (b"10SEC", 0.1), (b"4_1SEC", None)]
)
def test_gopro_time_lapse(make_filmed, text, capture):
  content = _gpmf(MTYP=(b"B", 1, b"\1"), RATE=(b"c", 1, text))
  path = make_filmed(moov=box(b"udta", box(b"GPMF", content)))
  assert declared.read(path).capture_fps == capture
  assert "time lapse" in declared.read(path).evidence()[0]


def test_fujifilm_high_speed_is_told_without_a_rate(make_filmed):
  def directory(*entries):
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<H", len(entries)) + packed + bytes(4)

  note = b"FUJIFILM" + struct.pack("<I", 12) + directory((0x3824, 4, 1, 2))
  tiff = b"II*\0" + struct.pack("<I", 8)
  tiff += directory((0x8769, 4, 1, 26))
  tiff += directory((0x927C, 7, len(note), 44))
  path = make_filmed(moov=box(b"udta", box(b"MVTG", bytes(16), tiff + note)))
  found = declared.read(path)
  assert "high-speed recording" in found.evidence()[0]
  assert found.capture_fps is None
