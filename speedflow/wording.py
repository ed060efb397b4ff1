"""Texts as they are shown: one line, and harmless where they are read.

Names of files may hold any characters but a slash and a zero byte: line ends,
the escapes that steer a terminal, the beginning of a formula.
"""

import re

from speedflow.errors import SpeedflowError

# What moves the cursor, ends a line, or turns the direction of writing; and
# what stands for bytes that are no UTF-8.
_CONTROLS = re.compile(
  "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\udc80-\udcff]"
)
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
# Spreadsheets take a cell for a formula that begins with one of these, in
# East Asian width too, and skip spaces before it.
_FORMULA = re.compile(r"['\s\x00-\x1f]*[=+\-@\uff1d\uff0b\uff0d\uff20]")


def shown(text: object) -> str:
  r"""A text, such as a file's name, as it may be printed.

  Line ends, tabs, escapes, bytes that are no UTF-8 and the like are written
  as in Python, such as `\n` and `\x1b`. Backslashes stay single: this is for
  reading, not for typing.

  Args:
    text: printed as `str` gives it.
  """
  return _CONTROLS.sub(_escaped, str(text))


def one_line(error: Exception) -> str:
  """What an error says, on one line."""
  text = str(error)
  if not isinstance(error, SpeedflowError):
    # Those of libraries have lines; ours are one, in which a name may have
    # spaces that count.
    text = " ".join(text.split())
  return shown(text) or type(error).__name__


def reason(error: Exception) -> str:
  """Why NumPy could not read a file, for the brackets of a message.

  Args:
    error: by `numpy.load`, or by what was done with the arrays.
  """
  text = one_line(error)
  # NumPy takes whatever it does not know for a pickle, and then tells how to
  # run the program that is in it.
  return "no NumPy arrays in it" if "pickle" in text.lower() else text


def utf8(text: str) -> str:
  r"""A text that UTF-8 can hold: a byte that is no UTF-8 becomes `\udcff`."""
  return text.encode("utf-8", "backslashreplace").decode()


def cell(text: str) -> str:
  """A text as a cell of a table that may be opened as a spreadsheet.

  Args:
    text: such as a name; a number needs no care, since it is no formula.

  Returns:
    The text, with an apostrophe before it where it would begin a formula (or
    where it might be taken for one that already has its apostrophe).
  """
  return f"'{text}" if _FORMULA.match(text) else text


def from_cell(text: str) -> str:
  """Undoes `cell`."""
  return text[1:] if text[:1] == "'" and _FORMULA.match(text) else text


def _escaped(match: re.Match[str]) -> str:
  character = match[0]
  code = ord(character)
  if code >= 0xDC80:
    code -= 0xDC00
  return _SHORT.get(character) or (
    f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
  )
