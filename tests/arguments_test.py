"""Tests of `speedflow.arguments`."""

import argparse
from fractions import Fraction

import pytest

from speedflow import arguments


def test_what_is_typed_is_read():
  assert arguments.positive("2.5e-1") == 0.25
  assert arguments.share("0") == 0
  assert arguments.share("1") == 1
  assert arguments.frame_rate("30000/1001") == Fraction(30000, 1001)
  assert arguments.frame_rate("29.97") == Fraction(2997, 100)
  page = arguments.path_with_suffix(".png", ".html")
  assert page("a b.HTML") == "a b.HTML"


@pytest.mark.parametrize(
  ("kind", "text", "message"),
  [
    (arguments.positive, "0", "0 is not a number above 0"),
    (arguments.positive, "nan", "not a number above 0"),
    (arguments.positive, "inf", "not a number above 0"),
    (arguments.positive, "fast", "fast is no number"),
    (arguments.share, "1.01", "not within 0..1"),
    (arguments.share, "nan", "not within 0..1"),
    (arguments.frame_rate, "0", "no frame rate; wanted one such as 30"),
    (arguments.frame_rate, "-25", "no frame rate"),
    (arguments.frame_rate, "1/0", "no frame rate"),
    (arguments.frame_rate, "inf", "no frame rate"),
    (
      arguments.path_with_suffix(".png", ".html"),
      "out.pdf",
      "out.pdf does not end in .png or .html",
    ),
  ],
)
def test_what_makes_no_sense_is_refused(kind, text, message):
  with pytest.raises(argparse.ArgumentTypeError, match=message):
    kind(text)
