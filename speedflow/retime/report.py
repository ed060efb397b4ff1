"""A page about a retimed video: its speed, what was seen, what was made."""

import os
from fractions import Fraction
from typing import Any

import numpy as np
from matplotlib import figure, ticker

from speedflow.pages import drawing as drawing_lib
from speedflow.retime.curve import SpeedCurve
from speedflow.superres import provenance
from speedflow.superres import report as superres_report

_MUTED, _LINE, _COLOUR = "#64748b", "#e2e8f0", "#2563eb"
_PLACES = 400


def write(
  path: str | os.PathLike[str],
  path_in: str | os.PathLike[str],
  path_out: str | os.PathLike[str],
) -> None:
  """Writes the page; videos are linked relative to its folder.

  Args:
    path: the page.
    path_in: the video before.
    path_out: the video after, with the JSON beside it.

  Raises:
    SpeedflowError: one of these cannot be read or written.
  """
  facts = provenance.read(path_out)
  superres_report.write(
    path,
    path_in,
    path_out,
    words=in_words(facts),
    speed_svg=_speed_svg(*speeds(facts)),
  )


def speeds(facts: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
  """Speed over the output's time.

  Args:
    facts: of the JSON beside a retimed video.

  Returns:
    Seconds of the output from its first frame, and factors, float64 [n].
  """
  curve = SpeedCurve(
    np.array(facts["speed"]["time_s"]), np.array(facts["speed"]["speed"])
  )
  first = Fraction(facts["frames"][0]["time"])
  times = np.linspace(0, float(Fraction(facts["end"]) - first), _PLACES)
  return times, curve.speed(curve.input_s(times))


def in_words(facts: dict[str, Any]) -> str:
  """What was done, in a sentence or two."""
  _, found = speeds(facts)
  low, high = found.min(), found.max()
  speed = f"{low:.3g} times as fast"
  if high / low > 1.001:
    speed = f"{low:.3g} to {high:.3g} times as fast"
  kinds = [frame["kind"] for frame in facts["frames"]]
  seen = sum(kind in ("observed", "restored") for kind in kinds)
  return (
    f"{facts['input']}, {speed}. Of {len(kinds)} frames, {seen} are frames of "
    f"the input, {kinds.count('synthesised')} were made up between two that "
    f"were filmed, and {kinds.count('averaged')} are means over the time that "
    f"a shutter of {facts['shutter']:g} degrees is open."
  )


def _speed_svg(times: np.ndarray, found: np.ndarray) -> str:
  drawing = figure.Figure(figsize=(10.4, 1.8))
  drawing.subplots_adjust(
    left=drawing_lib.LEFT, right=drawing_lib.RIGHT, top=0.95, bottom=0.28
  )
  axes = drawing.subplots()
  axes.plot(times, found, color=_COLOUR, lw=1.8)
  axes.set_yscale("log", base=2)
  axes.yaxis.set_major_formatter(ticker.FormatStrFormatter("%gx"))
  axes.set_ylim(min(found.min() / 1.5, 0.7), max(found.max() * 1.5, 1.4))
  axes.set_xlim(0, times[-1])
  axes.set_xlabel("seconds", color=_MUTED, fontsize=9)
  axes.set_ylabel("speed", color=_MUTED, fontsize=9)
  axes.spines[:].set_visible(False)
  axes.tick_params(colors=_MUTED, labelsize=9, length=0)
  axes.grid(axis="y", color=_LINE, lw=0.8)
  return drawing_lib.to_svg(drawing)
