"""A page about each file: what speaks for the verdict, and its limits."""

import html
import os
import pathlib
from collections.abc import Sequence

import cv2
import numpy as np

from speedflow import media
from speedflow.detect import answer as detect_lib
from speedflow.detect import plot, verdict
from speedflow.estimate import report
from speedflow.pages import page

_STRIP_FRAMES = 8
_STRIP_HEIGHT = 96
# Frames around a change are shown this far apart.
_STRIP_STEP_S = 0.12

_LEAD = (
  "speedflow watches the picture and listens to the sound, each by itself, "
  "and weighs what they say. Of what the file says of itself it takes only "
  "the times of frames."
)

_READING = """<p><b>Change seen</b>: how likely the picture takes the speed to
change at each moment; a <b>dotted line</b> is a cut, a <b>dashed line</b> a
change that picture or sound found. <b>Sound</b>: its frequencies over time;
the <b>bright line</b> is their upper edge. Sound that is played faster moves up
with everything in it, slowed sound moves down. <b>Speed</b>: factor at which
picture and sound play; the bands hold the true speed with 80 % probability.
The <b>verdict</b> is the likeliest of the histories that are listed, where
before looking at the file none of them is far ahead of the others: for footage
that is rarely tampered with, think of an untouched file as likelier.</p>"""

_VERDICTS: dict[detect_lib.Verdict, str] = {
  "untouched": "untouched",
  "sped_up": "sped up",
  "slowed_down": "slowed down",
  "mixed": "sped up and slowed down",
  "conflict": "picture and sound in conflict",
  "uncertain": "uncertain",
}


def write(
  path: str | os.PathLike[str], detections: Sequence[detect_lib.Detection]
) -> None:
  """Writes the page; videos are linked relative to its folder."""
  path = pathlib.Path(path)
  body = "\n".join(
    [f"<style>{_STYLE}</style>", *(_card(d, path.parent) for d in detections)]
  )
  page.write(path, "Was its time changed?", _LEAD, body, _READING)


def limits(found: detect_lib.Detection) -> list[str]:
  """What the evidence about a file cannot tell, in sentences."""
  told = []
  if found.sound is None or found.sound.status == "missing":
    told.append(
      "There is no sound to check the picture against: a retimed picture of "
      "which the sound was removed looks like footage that never had any."
    )
  elif found.sound.status == "silent":
    told.append("The sound is silent, and says nothing.")
  elif found.sound.status == "music":
    told.append(
      "The sound is music, which is usually laid over the finished picture: "
      "its speed is not the picture's."
    )
  elif found.sound.speed is None:
    told.append("Nothing in the sound has a pace or pitch that is known.")
  if not any("picture" in s.speeds for s in found.stretches):
    told.append(
      "The picture shows nothing of a known pace: it is still, dark or short."
    )
  if any(s.end_s - s.start_s < 1 for s in found.stretches):
    told.append("A stretch of less than a second tells little of its speed.")
  told += [
    "Footage filmed at many frames per second and played slowly by the camera "
    "itself counts as slowed down: who slowed it cannot be seen.",
    "A small change (less than about a quarter) or a slow ramp can be missed, "
    "as can one that was hidden in a cut.",
    "That picture and sound agree does not prove that nothing was cut out, "
    "put in or replaced.",
  ]
  return told


def _card(found: detect_lib.Detection, folder: pathlib.Path) -> str:
  name = html.escape(pathlib.Path(found.file).name)
  if found.verdict is None:
    return (
      f"<article><h2>{name} <em class=error>error</em></h2>"
      f"<p class=words>{html.escape(found.error or '')}</p></article>"
    )
  video = pathlib.Path(found.file)
  first_s, end_s = found.stretches[0].start_s, found.stretches[-1].end_s
  frames = report.film_strip(
    video, end_s - first_s, _STRIP_FRAMES, _STRIP_HEIGHT
  )
  evidence = page.data_uri("image/svg+xml", plot.evidence_svg(found).encode())
  player = page.player(
    video, folder, frames[0][1] if frames else None, sound=""
  )
  parts = [
    f"<article data-duration={end_s - first_s:.4f}>",
    f"<h2>{name} <em class={found.verdict}>{_VERDICTS[found.verdict]}</em>"
    "</h2>",
    f"<p class=why>{html.escape(found.why or '')}</p>",
    f"<div class=pair>{player}{_histories(found)}</div>",
    f'<div class="curve evidence"><img src="{evidence}" alt="Evidence over '
    'time"><i></i></div>',
    _strip("The whole video", frames, first_s, None),
  ]
  for change in found.changes:
    around = _frames_around(video, change.time_s)
    if around:
      parts.append(_strip(_heading(change), around, first_s, change.time_s))
  parts.append(_speeds(found))
  items = "".join(f"<li>{html.escape(text)}</li>" for text in limits(found))
  parts.append(f"<h3>What it cannot know</h3><ul>{items}</ul></article>")
  return "\n".join(parts)


def _histories(found: detect_lib.Detection) -> str:
  """Probabilities of all verdicts as bars."""
  rows = "".join(
    f"<tr><td>{_VERDICTS[name]}</td><td>{p:.0%}</td><td><div class=bar>"
    f'<s style="left:0;width:{100 * p:.1f}%"></s></div></td></tr>'
    for name, p in verdict.likeliest_first(found.probabilities)
  )
  return f"<table class=histories>{rows}</table>"


def _speeds(found: detect_lib.Detection) -> str:
  """Speeds of all stretches as a table."""
  rows = []
  for stretch in found.stretches:
    cells = []
    for sense in plot.COLOURS:
      cell = "<td>-</td>"
      if sense in stretch.speeds:
        middle, low, high = stretch.speeds[sense]
        cell = (
          f"<td><b>{middle:.2g}x</b> <small>{low:.2g}-{high:.2g}</small></td>"
        )
      cells.append(cell)
    rows.append(
      f"<tr><td>{stretch.start_s:.2f}-{stretch.end_s:.2f} s</td>"
      f"{''.join(cells)}</tr>"
    )
  return (
    "<table class=speeds><thead><tr><th>stretch</th><th>picture</th>"
    f"<th>sound</th></tr></thead><tbody>{''.join(rows)}</tbody></table>"
  )


def _heading(change: detect_lib.Change) -> str:
  direction = "faster" if change.ratio >= 1 else "slower"
  ends = sorted((change.ratio_low, change.ratio_high))
  if change.ratio < 1:
    ends = [1 / end for end in reversed(ends)]
  return (
    f"Around {change.time_s:.2f} s: {max(change.ratio, 1 / change.ratio):.3g} "
    f"times {direction} ({ends[0]:.3g}-{ends[1]:.3g}), found by "
    f"{' and '.join(change.seen_by)} ({change.probability:.0%})"
  )


def _strip(
  heading: str,
  frames: Sequence[tuple[float, np.ndarray]],
  first_s: float,
  change_s: float | None,
) -> str:
  """A film strip; `frames` have times after the first frame."""
  figures = []
  for time_s, image in frames:
    after = change_s is not None and time_s + first_s >= change_s - 1e-3
    figures.append(
      f"<figure data-time={time_s:.4f}{' class=after' if after else ''}>"
      f'<img src="{page.jpeg_uri(image)}" alt="Frame at {time_s:.2f} s">'
      f"<figcaption><span>{time_s + first_s:.2f} s</span></figcaption></figure>"
    )
  return (
    f"<h3>{html.escape(heading)}</h3><div class=strip>{''.join(figures)}</div>"
  )


def _frames_around(
  video: pathlib.Path, time_s: float
) -> list[tuple[float, np.ndarray]]:
  """Frames before and after a time, small, with times after the first one."""
  wanted = time_s + _STRIP_STEP_S * np.arange(-_STRIP_FRAMES // 2, 0)
  wanted = np.append(
    wanted, time_s + _STRIP_STEP_S * np.arange(_STRIP_FRAMES // 2)
  )
  with media.VideoReader(video) as reader:
    first = float(next(iter(reader)).time)
  frames: list[tuple[float, np.ndarray]] = []
  with media.VideoReader(video, start_s=max(first, wanted[0])) as reader:
    for frame in reader:
      if len(frames) == len(wanted):
        break
      if float(frame.time) < wanted[len(frames)] - 1e-3:
        continue
      height = _STRIP_HEIGHT
      width = max(
        1, round(frame.image.shape[1] * height / frame.image.shape[0])
      )
      image = cv2.resize(
        frame.image, (width, height), interpolation=cv2.INTER_AREA
      )
      frames.append((float(frame.time) - first, image))
  return frames


_STYLE = """
article h2 { margin: 0 0 4px; font-size: 20px; }
article > h3 { margin: 22px 0 0; font-size: 14px; }
article > h3 + .strip { margin-top: 8px; }
.why { margin: 2px 0 16px; font-size: 16px; max-width: 62em; }
.evidence { margin-top: 12px; }
.evidence i { top: 3%; bottom: 10%; }
.strip .after img { box-shadow: 0 3px 0 var(--true); }
table.histories, table.speeds { box-shadow: none; border: 0; margin: 0;
  padding: 0; }
table.histories { flex: 1 1 420px; width: auto; }
table.histories td:nth-child(1) { color: var(--ink); }
table.histories td:nth-child(2) { text-align: right; width: 3.5em; }
table.histories .bar { background: #f6f8fb; }
table.histories tr:first-child .bar s { background: var(--accent); }
table.histories tr:first-child td { font-weight: 600; }
table.speeds { margin-top: 18px; width: auto; }
table.speeds td, table.speeds th { padding-right: 48px; width: auto; }
article ul { margin: 6px 0 0; padding-left: 20px; color: var(--muted);
  max-width: 62em; }
em.untouched { background: #dcfce7; color: #166534; }
em.sped_up, em.slowed_down, em.mixed { background: #fef3c7; color: #92400e; }
em.conflict { background: #fee2e2; color: #991b1b; }
em.uncertain { background: #e2e8f0; color: #334155; }
"""
