"""Rates of frames as cameras write them."""

import math
import re

# No camera films a frame an hour, nor a billion a second; damaged bits do.
_SLOWEST, _FASTEST = 1 / 3600, 1e8
_NUMBER = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?)\s*([pPiI]?)\s*$")
_NTSC = (24, 30, 48, 60, 120, 240, 480, 960)


def rate(text: str | float | None) -> float | None:
  """Reads frames per second.

  Args:
    text: such as "240.000000", "119.88p" or "59.94i"; of interlaced video
      cameras count the fields. Or a number.

  Returns:
    The rate, exact where it is a rounded multiple of 1000/1001; None where
    there is none or it cannot be one.
  """
  if isinstance(text, str):
    match = _NUMBER.match(text)
    if match is None:
      return None
    value = float(match[1]) / (2 if match[2] in ("i", "I") else 1)
  elif text is None:
    return None
  else:
    value = float(text)
  if not (math.isfinite(value) and _SLOWEST <= value <= _FASTEST):
    return None
  for whole in _NTSC:
    exact = whole * 1000 / 1001
    # Two digits behind the point are usual: 23.98, 119.88.
    if abs(value - exact) <= 0.006 and value != whole:
      return exact
  return value
