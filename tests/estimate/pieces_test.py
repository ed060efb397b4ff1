"""Pieces of long files are the same whether or not all is decoded."""

from fractions import Fraction

import av
import numpy as np
import pytest

from speedflow.clocks import witnesses
from speedflow.estimate import pieces
from speedflow.pictures import shots

_SHOTS = [150, 40, 300, 20, 7, 283, 200]
_ENCODERS = {
  "keyframes at cuts": {"g": "60"},
  "none at cuts": {"x264-params": "keyint=50:min-keyint=50:scenecut=0"},
  "open groups": {"x264-params": "keyint=48:open-gop=1:scenecut=0:bframes=5"},
  "rare": {"x264-params": "keyint=2000:scenecut=0"},
}


@pytest.fixture
def write(tmp_path):
  """Encodes pictures as an encoder with such options does."""

  def write(name, images, stamps=None, time_base=Fraction(1, 30)):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
      stream = container.add_stream("libx264", 30, options=_ENCODERS[name])
      stream.width, stream.height = 128, 96
      stream.codec_context.time_base = time_base
      for number, image in enumerate(images):
        picture = av.VideoFrame.from_ndarray(image)
        picture.pts = number if stamps is None else int(stamps[number])
        picture.time_base = time_base
        container.mux(stream.encode(picture))
      container.mux(stream.encode(None))
    return path

  return write


def _images(lengths):
  """Shots of textures that move."""
  rng = np.random.default_rng(0)
  for length in lengths:
    colour = rng.integers(0, 200, 3)
    texture = (rng.integers(0, 55, (96, 128, 3)) + colour).astype(np.uint8)
    for number in range(length):
      yield np.roll(texture, number, axis=1)


def _pieces(path, *, leave_out=True):
  """Of each piece, shot and times; the frames; and how many were decoded."""
  with shots.Picture(path) as video:
    seen = []

    def watched():
      for numbered in video.frames():
        seen.append(not numbered.frame.left_out)
        yield numbered

    how = [video.leave_out] if leave_out else []
    found = list(pieces.cut(watched(), False, (), *how))
    return found, sum(seen), video.damage


def _check(path, most=1.0):
  wanted, all_, _ = _pieces(path, leave_out=False)
  found, decoded, damage = _pieces(path)
  assert [[f.time for f in p] for p in found] == [
    [f.time for f in p] for p in wanted
  ]
  for piece, whole in zip(found, wanted, strict=True):
    np.testing.assert_array_equal(
      [f.image for f in piece], [f.image for f in whole]
    )
  assert decoded <= most * all_
  return damage


@pytest.mark.parametrize("name", _ENCODERS)
def test_pieces_do_not_depend_on_keyframes(write, name):
  path = write(name, _images(_SHOTS))
  _check(path, most=1.0 if name == "rare" else 0.6)


def test_pieces_of_a_variable_rate_are_the_same(write):
  steps = np.random.default_rng(1).integers(1, 4, sum(_SHOTS))
  path = write(
    "none at cuts", _images(_SHOTS), np.cumsum(steps), Fraction(1, 90)
  )
  _check(path, most=0.6)


def test_pieces_of_a_damaged_file_are_the_same(write):
  path = write("none at cuts", _images(_SHOTS))
  with av.open(str(path)) as container:
    packets = [p for p in container.demux(video=0) if p.size]
    # In the middle of the first stretch that is looked at.
    place, size = packets[60].pos, packets[60].size
  data = bytearray(path.read_bytes())
  data[place + 8 : place + size] = bytes(size - 8)
  path.write_bytes(data)
  assert _check(path)


def test_clocks_see_the_beginning_before_anything_is_left_out(write):
  path = write("keyframes at cuts", _images([1000]))
  with witnesses.WatchedPicture(path) as video:
    seen = []
    for numbered in video.frames():
      seen.append(not numbered.frame.left_out)
      video.leave_out(900)
    assert all(seen[:600])
    assert not all(seen[600:900])
    assert all(seen[900:])
