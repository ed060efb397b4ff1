"""Texts as they are shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedflow import wording
from speedflow.errors import SpeedflowError


@pytest.mark.parametrize(
  ("text", "shown"),
  [
    ("a\nb\tc\r.mp4", r"a\nb\tc\r.mp4"),
    ("\x1b[31mred\x7f", r"\x1b[31mred\x7f"),
    ("\x9b\u202egp4.\u2028", r"\x9b\u202egp4.\u2028"),
    (b"caf\xe9.mp4".decode("utf-8", "surrogateescape"), r"caf\xe9.mp4"),
    (
      "plain [bold] \u00e9 \u6620\u753b.mp4",
      "plain [bold] \u00e9 \u6620\u753b.mp4",
    ),
  ],
)
def test_nothing_that_is_shown_moves_the_cursor(text, shown):
  assert wording.shown(text) == shown


@given(st.text())
def test_whatever_is_shown_is_one_line(text):
  assert len(wording.shown(f"a{text}").splitlines()) == 1


def test_lines_of_libraries_become_one_and_names_stay_exact():
  assert wording.one_line(ValueError("first\n  second")) == "first second"
  assert wording.one_line(SpeedflowError("a  b\n: bad")) == r"a  b\n: bad"
  assert wording.one_line(ValueError()) == "ValueError"


@pytest.mark.parametrize(
  "text", ["=1+1", "+1", "-1", "@a", "\t=1", "\r\n=1", " =1", "\uff1d1", "'=1"]
)
def test_no_cell_begins_a_formula(text):
  assert wording.cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a.mp4", "a=b", "'tis.mp4", "./-a.mp4"])
def test_cells_that_are_harmless_stay_as_they_are(text):
  assert wording.cell(text) == text


@given(st.text("'=+-@a \t"))
def test_cells_are_read_as_they_were(text):
  assert wording.from_cell(wording.cell(text)) == text
