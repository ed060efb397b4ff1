"""The walk over boxes ends and stays small, whatever the bytes are."""

import io
import struct

import hypothesis
import pytest
from hypothesis import strategies as st

from speedflow.declared import (
  boxes,
  edits,
  fujifilm,
  gopro,
  highspeed,
  samsung,
  sony,
)

_KINDS = st.sampled_from(
  [
    *(b"moov", b"trak", b"udta", b"meta", b"edts", b"elst", b"smta", b"saut"),
    *(b"mdia", b"hdlr", b"mvhd", b"GPMF", b"MVTG", b"xml ", b"uuid", b"sefd"),
  ]
)
_SIZES = st.one_of(
  st.integers(0, 64), st.sampled_from([0, 1, 7, 8, 1 << 31, (1 << 32) - 1])
)


class _Counted(io.BytesIO):
  """Counts what is read, and how often."""

  reads = 0
  most = 0

  def read(self, count=-1):
    self.reads += 1
    self.most = max(self.most, count)
    return super().read(count)


@st.composite
def _damaged(draw):
  """Boxes in boxes, with sizes that are right, wrong or absurd."""
  data = draw(st.binary(max_size=40))
  for _ in range(draw(st.integers(0, 12))):
    size = draw(st.one_of(st.just(8 + len(data)), _SIZES))
    data = struct.pack(">I4s", size, draw(_KINDS)) + data
    data += draw(st.binary(max_size=20))
  return data + draw(
    st.sampled_from(
      [b"", struct.pack("<I", 12) + b"SEFT", b"\xff" * 4 + b"SEFT"]
    )
  )


def _all(found, tmp_path):
  list(samsung.statements(found))
  samsung.retimings(found, 240.0)
  list(sony.statements(found, tmp_path / "none.mp4"))
  list(gopro.statements(found))
  list(fujifilm.statements(found))
  list(highspeed.of_cine(found))
  edits.retimings(found)


@hypothesis.given(_damaged())
@hypothesis.settings(
  max_examples=300,
  deadline=None,
  suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_damaged_boxes_end_and_cost_little(tmp_path, data):
  file = _Counted(data)
  _all(boxes.Boxes(file), tmp_path)
  assert file.reads < 5000
  assert file.most <= 1 << 20


@hypothesis.given(st.binary(max_size=300))
@hypothesis.settings(
  max_examples=200,
  deadline=None,
  suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_any_bytes_in_known_places(tmp_path, data):
  def box(kind, content):
    return struct.pack(">I4s", 8 + len(content), kind) + content

  for kind in (b"smta", b"GPMF", b"MVTG"):
    tail = struct.pack("<I", 12 + len(data) % 48) + b"SEFT"
    file = box(b"moov", box(b"udta", box(kind, data))) + b"SEFH" + data + tail
    _all(boxes.Boxes(io.BytesIO(file)), tmp_path)


def test_sixty_four_bit_and_open_sizes():
  inner = struct.pack(">I4s", 12, b"mvhd") + b"abcd"
  long = struct.pack(">I4sQ", 1, b"moov", 16 + len(inner)) + inner
  open_ended = struct.pack(">I4s", 0, b"moov") + inner
  for data in (long, open_ended):
    found = boxes.Boxes(io.BytesIO(data))
    (header,) = found.find(b"moov", b"mvhd")
    assert found.content(header, 100) == b"abcd"


@pytest.mark.parametrize("version", [b"", bytes(4)])
def test_meta_with_and_without_version(version):
  handler = struct.pack(">I4s", 20, b"hdlr") + bytes(12)
  meta = version + handler + struct.pack(">I4s", 9, b"keys") + b"k"
  data = struct.pack(">I4s", 8 + len(meta), b"meta") + meta
  found = boxes.Boxes(io.BytesIO(data))
  assert [b.kind for b in found.within(next(found.within()))] == [
    b"hdlr",
    b"keys",
  ]


def test_truncated_box_ends_where_the_file_does():
  data = struct.pack(">I4s", 1 << 30, b"moov") + b"abcd"
  found = boxes.Boxes(io.BytesIO(data))
  (box,) = found.within()
  assert (box.start, box.end) == (8, 12)


def test_a_file_of_empty_boxes_is_not_read_for_ever():
  file = _Counted(struct.pack(">I4s", 8, b"free") * 200_000)
  assert len(list(boxes.Boxes(file).within())) < 50_000
