"""What the frames of a slowed video are, and how sure, as a picture."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import figure

from speedflow.pages import drawing as drawing_lib
from speedflow.superres import marker

_MUTED, _LINE = "#64748b", "#e2e8f0"


def hex_colour(kind: marker.Kind) -> str:
  """The colour of a kind of frame, as in style sheets."""
  return "#{:02x}{:02x}{:02x}".format(*marker.COLOURS[kind])


def time_svg(
  frames: Sequence[dict[str, Any]],
  times_s: np.ndarray,
  end_s: float,
  worst: Sequence[int],
) -> str:
  """Draws uncertainty over time, above bands of what each frame is, as SVG.

  Args:
    frames: notes of the sidecar.
    times_s: when each is shown, from 0 on; float64 [n].
    end_s: when the last has been shown.
    worst: numbers of frames to point at.
  """
  drawing = figure.Figure(figsize=(10.4, 2.6))
  drawing.subplots_adjust(
    left=drawing_lib.LEFT,
    right=drawing_lib.RIGHT,
    top=0.97,
    bottom=0.2,
    hspace=0.12,
  )
  doubt, bands = drawing.subplots(
    2, sharex=True, gridspec_kw={"height_ratios": (4, 1)}
  )
  mean = [_number(frame["uncertainty"]) for frame in frames]
  part = [
    _number(frame.get("worst", frame).get("uncertainty")) for frame in frames
  ]
  doubt.plot(times_s, part, color="#d97706", lw=1, alpha=0.6)
  doubt.plot(times_s, mean, color="#d97706", lw=1.8)
  for number in worst:
    doubt.plot(times_s[number], part[number], "o", color="#991b1b", ms=5)
  doubt.set_ylim(0, None)
  doubt.set_ylabel("grey levels", color=_MUTED, fontsize=9)
  ends = [*times_s[1:], end_s]
  for kind, run in itertools.groupby(
    range(len(frames)), lambda number: frames[number]["kind"]
  ):
    numbers = list(run)
    bands.axvspan(
      times_s[numbers[0]], ends[numbers[-1]], color=hex_colour(kind), lw=0
    )
  bands.set_yticks([])
  bands.set_xlabel("seconds", color=_MUTED, fontsize=9)
  bands.set_xlim(0, end_s)
  for axes in (doubt, bands):
    axes.spines[:].set_visible(False)
    axes.tick_params(colors=_MUTED, labelsize=9, length=0)
  doubt.grid(axis="y", color=_LINE, lw=0.8)
  doubt.set_axisbelow(True)
  return drawing_lib.to_svg(drawing)


def _number(value: float | None) -> float:
  return float("nan") if value is None else value
