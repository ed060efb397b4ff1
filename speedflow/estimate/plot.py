"""Speed over time as a picture."""

import dataclasses
import math
import pathlib
from collections.abc import Sequence

import numpy as np
from matplotlib import axes as axes_lib
from matplotlib import figure

from speedflow.estimate import answer as estimate_lib
from speedflow.output import atomic, marks
from speedflow.pages import drawing as drawing_lib

_INK, _MUTED, _ACCENT, _EXPECTED = "#0f172a", "#64748b", "#2563eb", "#d97706"


@dataclasses.dataclass(frozen=True, eq=False)
class Exhibit:
  """One video with its answer.

  Attributes:
    title: what the video is.
    estimate: the answer.
    video: the file to play and to take the film strip from, if any.
    expected: the true speed over time, where it is known: times in seconds
      and speed factors, float64 [n] each.
  """

  title: str
  estimate: estimate_lib.Estimate
  video: pathlib.Path | None = None
  expected: tuple[np.ndarray, np.ndarray] | None = None

  @property
  def expected_text(self) -> str:
    """The true speed in a few characters: "2x", "1-4x" or ""."""
    if self.expected is None:
      return ""
    low, high = self.expected[1].min(), self.expected[1].max()
    return f"{low:.2g}x" if high < low * 1.01 else f"{low:.2g}-{high:.2g}x"

  @property
  def expected_mean(self) -> float | None:
    """The geometric mean of the true speed over playback time."""
    if self.expected is None:
      return None
    times, speeds = self.expected
    length = times[-1] - times[0]
    if length == 0:
      return float(speeds[0])
    return float(np.exp2(np.trapezoid(np.log2(speeds), times) / length))


def write_picture(path: pathlib.Path, exhibits: Sequence[Exhibit]) -> None:
  """Writes the curves of all exhibits, one above the other, as PNG."""
  drawing = figure.Figure(
    figsize=(9, 2.9 * len(exhibits)), layout="constrained"
  )
  panels = drawing.subplots(len(exhibits), squeeze=False)[:, 0]
  for axes, exhibit in zip(panels, exhibits, strict=True):
    _draw_curve(axes, exhibit)
    # Dollar signs would begin mathematics.
    title = f"{exhibit.title}: {exhibit.estimate.in_words()}"
    axes.set_title(
      title.replace("$", r"\$"), loc="left", fontsize=10, color=_INK, wrap=True
    )
  with atomic.atomic_path(path) as temporary:
    drawing.savefig(temporary, dpi=150, metadata=marks.PNG)


def _draw_curve(axes: axes_lib.Axes, exhibit: Exhibit) -> None:
  """Draws speed over time on an axis of octaves."""
  estimate = exhibit.estimate
  certain = estimate.status == "ok"
  colour = _ACCENT if certain else _MUTED
  reach = float(drawing_lib.OCTAVES)
  curve = estimate.curve
  if curve is not None:
    low, middle, high = (
      np.log2(v) for v in (curve.speed_low, curve.speed, curve.speed_high)
    )
    reach = max(reach, math.ceil(np.abs(middle).max()))
    axes.fill_between(curve.time_s, low, high, color=colour, alpha=0.16, lw=0)
    axes.plot(
      curve.time_s,
      middle,
      color=colour,
      lw=2,
      # A single window is a point, not a line.
      marker="o" if len(curve.time_s) == 1 else None,
      ls="-" if certain else ":",
    )
  if exhibit.expected is not None:
    times, speeds = exhibit.expected
    axes.plot(times, np.log2(speeds), color=_EXPECTED, lw=1.6, ls=(0, (5, 3)))
    reach = max(reach, math.ceil(np.abs(np.log2(speeds)).max()))
  if not certain:
    axes.text(
      0.5,
      0.9,
      estimate.status,
      transform=axes.transAxes,
      ha="center",
      va="center",
      color=_MUTED,
      fontsize=10,
    )
  octaves = range(-int(reach), int(reach) + 1)
  axes.set_yticks(
    octaves, [f"1/{2**-o}x" if o < 0 else f"{2**o}x" for o in octaves]
  )
  axes.set_ylim(-reach - 0.3, reach + 0.3)
  axes.set_xlim(0, estimate.duration_s or 1)
  axes.set_xlabel("seconds", color=_MUTED, fontsize=9)
  axes.grid(axis="y", color="#e2e8f0", lw=0.8)
  axes.axhline(0, color="#94a3b8", lw=1, zorder=0.9)
  axes.tick_params(colors=_MUTED, labelsize=9, length=0)
  axes.spines[:].set_visible(False)
  axes.set_axisbelow(True)


def curve_svg(exhibit: Exhibit) -> str:
  """The curve as an SVG document, see `drawing.to_svg`."""
  drawing = figure.Figure(figsize=(7.2, 2.5))
  axes = drawing.add_axes(
    (drawing_lib.LEFT, 0.2, drawing_lib.RIGHT - drawing_lib.LEFT, 0.76)
  )
  _draw_curve(axes, exhibit)
  return drawing_lib.to_svg(drawing)
