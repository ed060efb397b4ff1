"""Pieces that were written one by one are one video, times and all."""

from fractions import Fraction

import numpy as np
import pytest

from speedflow import media
from speedflow.errors import SpeedflowError

_UNIT = Fraction(1, 30_000)
_FPS = Fraction(30_000, 1001)


@pytest.fixture
def make_pieces(tmp_path):
  """Writes pieces of so many frames; gives them and all of their pictures."""

  def make(counts, pixel_format="yuv444p", channels=3, gap=1):
    rng = np.random.default_rng(0)
    pieces, images, time = [], [], Fraction(0)
    for number, count in enumerate(counts):
      path = tmp_path / f"{number}.mov"
      with media.VideoWriter(
        path,
        _FPS,
        (64, 48),
        crf=0,
        pixel_format=pixel_format,
        time_base=_UNIT,
      ) as writer:
        for k in range(count):
          shape = (48, 64, channels)
          images.append(rng.integers(0, 256, shape, np.uint8))
          writer.write(images[-1], k / _FPS)
      end = time + (count - 1 + gap) / _FPS
      pieces.append(media.Piece(path, time, end))
      time = end
    return pieces, images

  return make


def _read(path, **options):
  with media.VideoReader(path, **options) as reader:
    return list(reader), reader.info


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("counts", [[5, 5, 1], [2], [3, 4]])
def test_times_rates_and_length_are_exact(
  make_pieces, tmp_path, suffix, counts
):
  pieces, images = make_pieces(counts)
  out = tmp_path / f"out{suffix}"
  assert list(media.join(pieces, out, _UNIT)) == pieces
  frames, info = _read(out)
  assert [f.time for f in frames] == [k / _FPS for k in range(len(images))]
  assert info.fps == _FPS
  assert info.duration_s == pytest.approx(float(len(images) / _FPS), abs=1e-9)


def test_the_last_picture_lasts_until_the_end(make_pieces, tmp_path):
  pieces, _ = make_pieces([4, 4], gap=3)
  list(media.join(pieces, tmp_path / "out.mp4", _UNIT))
  info = media.probe(tmp_path / "out.mp4")
  assert info.duration_s == pytest.approx(float(12 / _FPS), abs=1e-9)


def test_uneven_times_in_coarse_ticks_are_kept(tmp_path):
  unit, steps = Fraction(1, 400), [0, 3, 10, 12]
  pieces, wanted = [], []
  for number, start in enumerate((Fraction(0), Fraction(20, 400))):
    path = tmp_path / f"{number}.mov"
    with media.VideoWriter(path, 100, (64, 48), time_base=unit) as writer:
      for step in steps:
        writer.write(np.zeros((48, 64, 3), np.uint8), step * unit)
        wanted.append(start + step * unit)
    pieces.append(media.Piece(path, start, start + 20 * unit))
  list(media.join(pieces, tmp_path / "out.mp4", unit))
  frames, info = _read(tmp_path / "out.mp4")
  assert [frame.time for frame in frames] == wanted
  assert info.duration_s == pytest.approx(0.1, abs=1e-9)


def test_pictures_are_those_of_the_pieces(make_pieces, tmp_path):
  pieces, _ = make_pieces([3, 3])
  list(media.join(pieces, tmp_path / "out.mp4", _UNIT))
  alone = [f.image for piece in pieces for f in _read(piece.path)[0]]
  joined = [f.image for f in _read(tmp_path / "out.mp4")[0]]
  np.testing.assert_array_equal(joined, alone)


@pytest.mark.parametrize(
  ("suffix", "pixel_format"),
  [(".mov", "rgba"), (".mov", "yuva444p10le"), (".mkv", "yuva444p10le")],
)
def test_transparent_pieces_join(make_pieces, tmp_path, suffix, pixel_format):
  pieces, images = make_pieces([3, 2], pixel_format, channels=4)
  out = tmp_path / f"out{suffix}"
  list(media.join(pieces, out, _UNIT))
  frames, info = _read(out, pixel_format="rgba64le", exact=True)
  assert info.has_alpha
  assert len(frames) == len(images)


def test_sound_is_laid_beside_all_of_them(make_pieces, tmp_path, make_tone):
  pieces, images = make_pieces([30, 30])
  seconds = float(len(images) / _FPS)
  sound = media.Audio(make_tone(seconds), 48000)
  list(media.join(pieces, tmp_path / "out.mp4", _UNIT, sound))
  heard = media.read_audio(tmp_path / "out.mp4")
  assert heard.duration_s == pytest.approx(seconds, abs=0.05)


def test_a_damaged_piece_leaves_nothing_behind(make_pieces, tmp_path):
  pieces, _ = make_pieces([3, 3])
  pieces[1].path.write_bytes(b"damaged")
  out = tmp_path / "folder" / "out.mp4"
  with pytest.raises(SpeedflowError, match=r"1\.mov"):
    list(media.join(pieces, out, _UNIT))
  assert list(out.parent.iterdir()) == []
