"""A damaged file is refused in one line, or read as far as it goes."""

import json

import hypothesis
from hypothesis import strategies as st

from speedflow.errors import SpeedflowError
from speedflow.probe import examine
from tests import camera_files

_PLACES = (
  b"moov",
  b"trak",
  b"elst",
  b"stts",
  b"mvhd",
  b"mdhd",
  b"keys",
  b"ilst",
)


@hypothesis.given(st.data())
@hypothesis.settings(
  max_examples=40,
  deadline=None,
  suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_damaged_file_is_read_or_refused(tmp_path, data):
  path = tmp_path / "damaged.mp4"
  whole = tmp_path / "whole.mp4"
  if not whole.exists():
    moov = camera_files.android(240)
    camera_files.write_mp4(whole, frames=5, moov=moov)
  content = bytearray(whole.read_bytes())
  for _ in range(data.draw(st.integers(1, 4))):
    place = content.find(data.draw(st.sampled_from(_PLACES)))
    at = max(0, place + data.draw(st.sampled_from([-4, 0, 4, 8, 12])))
    content[at : at + 4] = data.draw(st.binary(min_size=4, max_size=4))
  end = data.draw(st.integers(len(content) // 2, len(content)))
  path.write_bytes(bytes(content[:end]))
  try:
    found = examine.examine(path)
  except SpeedflowError as error:
    assert str(path) in str(error)
    assert "\n" not in str(error)
  else:
    json.dumps(found.to_json(), allow_nan=False)
    assert found.in_words()
