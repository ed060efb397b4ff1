"""What a file's pixels are is kept: bits, transparency and colours."""

import dataclasses

import cv2
import numpy as np
import pytest

from speedflow.errors import SpeedflowError
from speedflow.media import (
  Colour,
  VideoReader,
  VideoWriter,
  pixel_format_for,
  probe,
)

_PQ = Colour(9, 9, 16, full_range=False)  # BT.2020, SMPTE ST 2084
_PAL = Colour(5, 5, 6, full_range=False)
_FULL_601 = Colour(6, 6, 6, full_range=True)


def _smooth(dtype=np.uint8, channels=3, size=(48, 64)):
  """A soft picture of soft colours, which survives halved colour planes."""
  rng = np.random.default_rng(0)
  grey, tint = (
    cv2.normalize(
      cv2.GaussianBlur(rng.random((*size, n)), (0, 0), 8),
      None,
      0,
      1,
      cv2.NORM_MINMAX,
    ).reshape(*size, n)
    for n in (1, channels)
  )
  mixed = 0.1 + 0.7 * grey + 0.1 * tint
  return np.rint(mixed * np.iinfo(dtype).max).astype(dtype)


def _round_trip(path, image, read_as="rgb24", **options):
  with VideoWriter(path, 25, image.shape[1::-1], **options) as writer:
    for _ in range(3):
      writer.write(image)
  with VideoReader(path, pixel_format=read_as, exact=True) as reader:
    return next(reader).image


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("sampling", ["420", "422", "444"])
def test_ten_bits_are_kept(tmp_path, suffix, sampling):
  image = _smooth(np.uint16, 1).repeat(3, axis=-1)
  errors = []
  for bits, depth in ((8, ""), (10, "10le")):
    path = tmp_path / f"{bits}{suffix}"
    stored = f"yuv{sampling}p{depth}"
    shown = _round_trip(path, image, "rgb48le", crf=0, pixel_format=stored)
    assert probe(path).bit_depth == bits
    errors.append(np.abs(shown.astype(int) - image).mean())
  assert errors[1] < errors[0] / 2


@pytest.mark.parametrize("suffix", [".mov", ".mkv"])
def test_transparency_is_kept(tmp_path, suffix):
  image = _smooth(np.uint16, 4)
  path = tmp_path / f"a{suffix}"
  shown = _round_trip(path, image, "rgba64le", pixel_format="yuva444p10le")
  assert probe(path).has_alpha
  assert np.abs(shown.astype(int) - image)[..., 3].mean() < 64


@pytest.mark.parametrize(
  ("dtype", "read_as", "stored"),
  [(np.uint8, "rgba", "rgba"), (np.uint16, "rgba64le", "rgba64be")],
)
def test_transparency_is_kept_without_loss(tmp_path, dtype, read_as, stored):
  image = _smooth(dtype, 4)
  path = tmp_path / "a.mov"
  shown = _round_trip(path, image, read_as, pixel_format=stored)
  np.testing.assert_array_equal(shown, image)


@pytest.mark.parametrize("colour", [_PQ, _PAL, _FULL_601])
@pytest.mark.parametrize("stored", ["yuv420p", "yuv422p10le"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_colours_are_coded_and_tagged_as_asked(
  tmp_path, colour, stored, suffix
):
  image = _smooth()
  path = tmp_path / f"a{suffix}"
  shown = _round_trip(path, image, crf=0, pixel_format=stored, colour=colour)
  assert probe(path).colour == colour
  assert np.abs(shown.astype(int) - image).mean() < 2


def test_copies_of_copies_do_not_drift_when_read_exactly(tmp_path):
  image = first = _round_trip(tmp_path / "0.mp4", _smooth(), crf=0)
  for generation in range(1, 4):
    image = _round_trip(tmp_path / f"{generation}.mp4", image, crf=0)
  assert abs((image.astype(int) - first).mean()) < 0.1


@pytest.mark.parametrize(
  ("given", "crf", "alpha", "wanted"),
  [
    ("yuv420p", 14, False, "yuv420p"),
    ("yuvj422p", 14, False, "yuv422p"),
    ("yuv444p10le", 0, False, "yuv444p10le"),
    ("yuv420p12le", 14, False, "yuv420p10le"),
    ("nv12", 14, False, "yuv420p"),
    ("gray", 14, False, "yuv420p"),
    ("gray10le", 14, False, "yuv420p10le"),
    ("bgra", 14, False, "yuv444p"),
    ("bgra", 0, False, "rgb24"),
    ("bgra", 14, True, "yuva444p10le"),
    ("pal8", 0, True, "rgba"),
    ("yuva444p10le", 0, True, "rgba64be"),
  ],
)
def test_the_format_that_keeps_most(make_clip, given, crf, alpha, wanted):
  bits = {"10le": 10, "12le": 12}.get(given[-4:], 8)
  info = dataclasses.replace(
    probe(make_clip()), pixel_format=given, bit_depth=bits
  )
  assert pixel_format_for("a.mov", info, alpha=alpha, crf=crf) == wanted


@pytest.mark.parametrize(("name", "crf"), [("out.mp4", 14), ("out.mkv", 0)])
def test_transparency_does_not_fit_everywhere(make_clip, name, crf):
  info = probe(make_clip())
  with pytest.raises(SpeedflowError, match=rf"{name}.*name the output .*\.mov"):
    pixel_format_for(name, info, alpha=True, crf=crf)


def test_exact_and_a_size_exclude_each_other(make_clip):
  with pytest.raises(ValueError, match="not both"):
    VideoReader(make_clip(), exact=True, short_side=16)
