"""Draws the evidence of picture and sound over time."""

import dataclasses
import itertools
import math
import os
import pathlib
from collections.abc import Sequence

import numpy as np
from matplotlib import axes as axes_lib
from matplotlib import figure, ticker

from speedflow import media, wording
from speedflow.detect import answer as detect_lib
from speedflow.errors import SpeedflowError
from speedflow.output import atomic, marks
from speedflow.pages import drawing as drawing_lib
from speedflow.sound import spectra

COLOURS: dict[detect_lib.Modality, str] = {
  "picture": "#2563eb",
  "sound": "#d97706",
}
"""Of each modality, here and in reports."""

TOP, BOTTOM = 0.03, 0.1
"""Margins of the axes, as shares of the picture's height."""

_INK, _MUTED, _LINE = "#0f172a", "#64748b", "#e2e8f0"
# Columns of a spectrogram that is shown: more than there are pixels.
_MOST_COLUMNS = 1200
# Decibels that are shown, and above the floor of which sound is there.
_RANGE_DB = (-100.0, -20.0)
_HEARD_DB = -90.0


@dataclasses.dataclass(frozen=True, eq=False)
class Spectrogram:
  """Sound in bands of constant ratio, as coarse as it is shown.

  Attributes:
    decibels: float32 [n, bands].
    start_s: where the first column begins, seconds on the file's clock.
    end_s: where the last ends.
  """

  decibels: np.ndarray
  start_s: float
  end_s: float

  @property
  def edge_hz(self) -> np.ndarray:
    """Highest audible frequency of each column, NaN in silence; [n]."""
    audible = self.decibels > _HEARD_DB
    last = audible.shape[1] - 1 - audible[:, ::-1].argmax(1)
    return np.where(audible.any(1), _frequency(last + 0.5), np.nan)


def spectrogram(path: str | os.PathLike[str]) -> Spectrogram | None:
  """The sound of a file; None where there is none that can be decoded.

  Memory does not grow with its length: neighbours are averaged, in decibels,
  whenever there are twice as many columns as are shown.
  """
  kept = np.zeros((0, spectra.BANDS), np.float32)
  rest = kept
  together, start_s = 1, None
  try:
    for part in spectra.columns(media.audio_blocks(path)):
      if start_s is None:
        start_s = part.start_s - 0.5 / spectra.COLUMNS_PER_S
      rest = np.concatenate([rest, part.decibels])
      whole = len(rest) // together * together
      kept = np.concatenate([kept, _averaged(rest[:whole], together)])
      rest = rest[whole:]
      while len(kept) >= 2 * _MOST_COLUMNS:
        if len(kept) % 2:
          # What is left over goes back, as many times as it stands for.
          rest = np.concatenate([kept[-1:].repeat(together, 0), rest])
          kept = kept[:-1]
        kept, together = _averaged(kept, 2), 2 * together
  except SpeedflowError:
    return None
  if start_s is None or not len(kept):
    return None
  seconds = len(kept) * together / spectra.COLUMNS_PER_S
  return Spectrogram(kept, start_s, start_s + seconds)


def write_picture(
  path: str | os.PathLike[str], detections: Sequence[detect_lib.Detection]
) -> None:
  """Writes the evidence about all files, one above the other, as PNG."""
  heights = [5.2 if found.status == "ok" else 0.5 for found in detections]
  drawing = figure.Figure(figsize=(9, sum(heights)), layout="constrained")
  parts = drawing.subfigures(
    len(detections), squeeze=False, height_ratios=heights
  )[:, 0]
  for part, found in zip(parts, detections, strict=True):
    words = found.error or found.why or ""
    # Dollar signs would begin mathematics.
    title = wording.shown(f"{pathlib.Path(found.file).name}: {words}")
    title = title.replace("$", r"\$")
    part.suptitle(title, x=0.01, ha="left", fontsize=9, color=_INK, wrap=True)
    if found.status == "ok":
      _draw(part, found)
  with atomic.atomic_path(path) as temporary:
    drawing.savefig(temporary, dpi=150, format="png", metadata=marks.PNG)


def evidence_svg(found: detect_lib.Detection) -> str:
  """The evidence as an SVG document."""
  drawing = figure.Figure(figsize=(10.4, 5.0))
  drawing.subplots_adjust(
    left=drawing_lib.LEFT,
    right=drawing_lib.RIGHT,
    top=1 - TOP,
    bottom=BOTTOM,
    hspace=0.16,
  )
  _draw(drawing, found)
  return drawing_lib.to_svg(drawing)


def _draw(drawing: figure.FigureBase, found: detect_lib.Detection) -> None:
  sound = spectrogram(found.file)
  heights = (1.0, 1.5 if sound else 0.3, 1.2)
  top, middle, bottom = drawing.subplots(
    3, sharex=True, gridspec_kw={"height_ratios": heights}
  )
  _draw_curve(top, found)
  _draw_sound(middle, sound, [change.time_s for change in found.changes])
  _draw_speeds(bottom, found)
  for axes in (top, middle, bottom):
    axes.spines[:].set_visible(False)
    axes.tick_params(colors=_MUTED, labelsize=9, length=0)
    for change in found.changes:
      axes.axvline(change.time_s, color=_INK, lw=1.1, ls=(0, (4, 2)))
  for change in found.changes:
    top.annotate(
      f"{max(change.ratio, 1 / change.ratio):.2g}x"
      f" {'faster' if change.ratio >= 1 else 'slower'}",
      (change.time_s, 1.04),
      xytext=(5, 0),
      textcoords="offset points",
      fontsize=9,
      color=_INK,
      va="top",
      fontweight="bold",
    )
  if found.stretches:
    top.set_xlim(found.stretches[0].start_s, found.stretches[-1].end_s)
  bottom.set_xlabel("seconds", color=_MUTED, fontsize=9)


def _draw_curve(axes: axes_lib.Axes, found: detect_lib.Detection) -> None:
  if found.curve is not None:
    axes.fill_between(
      found.curve.time_s,
      found.curve.probability,
      color=COLOURS["picture"],
      alpha=0.16,
      lw=0,
    )
    axes.plot(
      found.curve.time_s,
      found.curve.probability,
      color=COLOURS["picture"],
      lw=1.4,
    )
  for cut_s in found.cuts_s:
    axes.axvline(cut_s, color="#94a3b8", lw=1, ls=":")
  axes.set_ylim(0, 1.06)
  axes.set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"])
  axes.grid(axis="y", color=_LINE, lw=0.8)
  axes.set_axisbelow(True)
  _name(axes, "change seen")


def _draw_sound(
  axes: axes_lib.Axes, sound: Spectrogram | None, changes_s: Sequence[float]
) -> None:
  _name(axes, "sound")
  if sound is None:
    axes.set_yticks([])
    axes.text(
      0.5,
      0.5,
      "no sound",
      transform=axes.transAxes,
      ha="center",
      va="center",
      color=_MUTED,
      fontsize=9,
    )
    return
  edges = _frequency(np.arange(spectra.BANDS + 1) - 0.5)
  times = np.linspace(sound.start_s, sound.end_s, len(sound.decibels) + 1)
  low, high = _RANGE_DB
  axes.pcolormesh(
    times,
    edges,
    sound.decibels.T,
    cmap="magma",
    vmin=low,
    vmax=high,
    rasterized=True,
  )
  # Not across changes, where it jumps.
  edge_hz = sound.edge_hz
  bounds = [0, *np.searchsorted(times[1:], sorted(changes_s)), len(edge_hz)]
  for first, end in itertools.pairwise(bounds):
    axes.plot(
      times[first : end + 1].repeat(2)[1:-1],
      _steady(edge_hz[first:end], len(edge_hz) // 20).repeat(2),
      color="#67e8f9",
      lw=1.5,
    )
  axes.set_yscale("log")
  axes.set_ylim(edges[0], edges[-1])
  axes.yaxis.set_major_locator(ticker.FixedLocator([250, 1000, 4000, 16_000]))
  axes.yaxis.set_major_formatter(
    lambda hz, _: f"{hz / 1000:g} kHz" if hz >= 1000 else f"{hz:g} Hz"
  )
  axes.yaxis.set_minor_locator(ticker.NullLocator())


def _draw_speeds(axes: axes_lib.Axes, found: detect_lib.Detection) -> None:
  """Draws the speed of each stretch on an axis of octaves."""
  reach = 1.5
  for modality, colour in COLOURS.items():
    label: str | None = modality
    for stretch in found.stretches:
      if modality not in stretch.speeds:
        continue
      middle, low, high = np.log2(stretch.speeds[modality])
      span = [stretch.start_s, stretch.end_s]
      axes.fill_between(span, low, high, color=colour, alpha=0.15, lw=0)
      axes.plot(span, [middle, middle], color=colour, lw=2.2, label=label)
      label = None
      reach = max(reach, abs(low) + 0.2, abs(high) + 0.2)
  if axes.lines:
    axes.legend(
      loc="upper left", ncols=2, frameon=False, fontsize=9, labelcolor=_MUTED
    )
  octaves = range(-math.floor(reach), math.floor(reach) + 1)
  axes.set_yticks(
    octaves, [f"1/{2**-o}x" if o < 0 else f"{2**o}x" for o in octaves]
  )
  axes.set_ylim(-reach, reach)
  axes.grid(axis="y", color=_LINE, lw=0.8)
  axes.axhline(0, color="#94a3b8", lw=1, zorder=0.9)
  axes.set_axisbelow(True)
  _name(axes, "speed")


def _name(axes: axes_lib.Axes, name: str) -> None:
  axes.set_ylabel(name, color=_MUTED, fontsize=9)
  axes.yaxis.set_label_coords(-0.055, 0.5)


def _frequency(band: np.ndarray) -> np.ndarray:
  return spectra.LOWEST_HZ * 2.0 ** (band / spectra.BANDS_PER_OCTAVE)


def _averaged(columns: np.ndarray, together: int) -> np.ndarray:
  return columns.reshape(-1, together, columns.shape[1]).mean(1)


def _steady(edge_hz: np.ndarray, reach: int) -> np.ndarray:
  """What it hardly exceeds nearby, so that no pause tears it down; [n]."""
  padded = np.pad(edge_hz, reach, constant_values=np.nan)
  windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
  steady = np.full(len(edge_hz), np.nan)
  known = ~np.isnan(windows).all(1)
  steady[known] = np.nanpercentile(windows[known], 90, axis=1)
  return steady
