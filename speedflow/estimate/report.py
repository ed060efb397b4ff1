"""Pages that show how fast videos play.

A page is one HTML file that needs no network: pictures are embedded, videos
are linked by relative path.
"""

import dataclasses
import html
import math
import os
import pathlib
from collections.abc import Sequence

import cv2
import numpy as np

from speedflow import media, wording
from speedflow.estimate import answer as estimate_lib
from speedflow.estimate import plot
from speedflow.pages import drawing, page

_READING = """<p><b>Speed</b> is a factor: 2x plays twice as fast as the world,
1/4x is slowed down four times. The <b>line</b> is the estimate over time, the
<b>band</b> holds the true speed with 80 % probability, and a <b>dashed line
</b> is the true speed where it is known. <b>Uncertain</b> means that the
picture does not tell: it is still, dark, too short, or shows nothing whose
natural pace is known; then no number is given. Click into a curve or onto a
frame to go there.</p>"""

_STRIP_FRAMES = 8
_STRIP_HEIGHT = 96


@dataclasses.dataclass(frozen=True, eq=False)
class Group:
  """Videos that belong together on a page."""

  title: str
  exhibits: tuple[plot.Exhibit, ...]
  note: str = ""


def write(
  estimates: Sequence[estimate_lib.Estimate], path: str | os.PathLike[str]
) -> None:
  """Shows the answers about files as a .png picture or an .html page."""
  path = pathlib.Path(path)
  exhibits = [
    plot.Exhibit(
      title=wording.shown(pathlib.Path(e.file).name),
      estimate=e,
      video=pathlib.Path(e.file) if e.status != "error" else None,
    )
    for e in estimates
  ]
  if path.suffix.lower() == ".png":
    plot.write_picture(path, exhibits)
  else:
    groups = [Group("", (exhibit,)) for exhibit in exhibits]
    write_page(path, "How fast does it play?", "", groups)


@dataclasses.dataclass(frozen=True)
class Link:
  """Another page: its file, beside this one, its title, and its caveat."""

  file: str
  title: str
  note: str


def write_page(
  path: pathlib.Path,
  title: str,
  lead: str,
  groups: Sequence[Group],
  links: Sequence[Link] = (),
) -> None:
  """Writes a page with players, curves and film strips.

  Args:
    path: where; videos are linked relative to its folder.
    title: the heading.
    lead: a paragraph below it, or "".
    groups: what to show, in order.
    links: what else there is; listed first.
  """
  cards = [
    f'<p class=note><a href="{html.escape(link.file)}">'
    f"{html.escape(link.title)}</a>: {html.escape(link.note)}</p>"
    for link in links
  ]
  for group in groups:
    cards.append("<section>")
    if group.title:
      cards.append(f"<h2>{html.escape(group.title)}</h2>")
    if group.note:
      cards.append(f"<p class=note>{html.escape(group.note)}</p>")
    cards += [_card(exhibit, path.parent) for exhibit in group.exhibits]
    cards.append("</section>")
  number = len(links)
  body = "\n".join([*cards[:number], _overview(groups), *cards[number:]])
  page.write(path, title, lead, body, _READING)


def film_strip(
  video: pathlib.Path, duration_s: float, count: int, height: int
) -> list[tuple[float, np.ndarray]]:
  """Takes frames at equal distances from a video.

  Args:
    video: the file.
    duration_s: its length in seconds.
    count: how many frames; fewer come back from a shorter file.
    height: their height in pixels.

  Returns:
    Pairs of a time in seconds after the first frame and an image, uint8
    [height, w, 3], RGB.

  Raises:
    SpeedflowError: the file cannot be read.
  """
  with media.VideoReader(video) as reader:
    first = next(iter(reader)).time
  frames: list[tuple[float, np.ndarray]] = []
  for number in range(count):
    wanted = (number + 0.5) * duration_s / count
    # From the nearest keyframe on, so that a long file takes no longer.
    with media.VideoReader(video, start_s=float(first) + wanted) as reader:
      frame = next(iter(reader), None)
    if frame is None:
      break
    time_s = float(frame.time - first)
    if frames and time_s <= frames[-1][0]:
      continue
    width = max(1, round(frame.image.shape[1] * height / frame.image.shape[0]))
    image = cv2.resize(
      frame.image, (width, height), interpolation=cv2.INTER_AREA
    )
    frames.append((time_s, image))
  return frames


def _card(exhibit: plot.Exhibit, folder: pathlib.Path) -> str:
  """One exhibit as HTML; its video is linked relative to `folder`."""
  estimate = exhibit.estimate
  duration = estimate.duration_s or 0.0
  frames = []
  if exhibit.video is not None and duration:
    frames = film_strip(exhibit.video, duration, _STRIP_FRAMES, _STRIP_HEIGHT)
  parts = [
    f"<article data-duration={duration:.4f}>",
    f"<h3>{html.escape(exhibit.title)} {_badge(estimate)}</h3>",
    f"<p class=words>This video {html.escape(estimate.in_words())}.</p>",
  ]
  if estimate.status == "error":
    return "\n".join([*parts, "</article>"])
  parts.append("<div class=pair>")
  if exhibit.video is not None:
    poster = frames[0][1] if frames else None
    parts.append(page.player(exhibit.video, folder, poster))
  curve = page.data_uri("image/svg+xml", plot.curve_svg(exhibit).encode())
  parts.append(
    f'<div class=curve><img src="{curve}" alt="Speed over time"><i></i></div>'
    "</div>"
  )
  if frames:
    parts.append("<div class=strip>")
    for time_s, image in frames:
      label = "?"
      if estimate.status == "ok" and estimate.curve is not None:
        label = f"{estimate.curve.at(time_s):.2g}x"
      parts.append(
        f'<figure data-time={time_s:.4f}><img src="{page.jpeg_uri(image)}" '
        f'alt="Frame at {time_s:.1f} s"><figcaption><b>{label}</b>'
        f"<span>{time_s:.1f} s</span></figcaption></figure>"
      )
    parts.append("</div>")
  return "\n".join([*parts, "</article>"])


def _overview(groups: Sequence[Group]) -> str:
  """All answers in one table, with their intervals on a common scale."""
  rows = []
  for group in groups:
    for number, exhibit in enumerate(group.exhibits):
      estimate = exhibit.estimate
      bar, speed = "", _badge(estimate)
      mean = exhibit.expected_mean
      if mean is not None:
        bar += f'<u style="left:{_percent(mean):.2f}%"></u>'
      if estimate.status == "ok":
        low, middle, high = (
          _percent(v or 1.0)
          for v in (estimate.speed_low, estimate.speed, estimate.speed_high)
        )
        bar += (
          f'<s style="left:{low:.2f}%;width:{high - low:.2f}%"></s>'
          f'<b style="left:{middle:.2f}%"></b>'
        )
        speed = (
          f"<b>{estimate.speed:.2g}x</b> <small>{estimate.speed_low:.2g}-"
          f"{estimate.speed_high:.2g}</small>"
        )
      rows.append(
        f"<tr><td>{'' if number else html.escape(group.title)}</td>"
        f"<td>{html.escape(exhibit.title)}</td>"
        f"<td>{exhibit.expected_text}</td><td>{speed}</td>"
        f"<td><div class=bar>{bar}</div></td></tr>"
      )
  ticks = "".join(
    f'<span style="left:{_percent(2.0**o):.2f}%">{label}</span>'
    for o, label in zip(
      range(-drawing.OCTAVES, drawing.OCTAVES + 1),
      ("1/8x", "1/4x", "1/2x", "1x", "2x", "4x", "8x"),
      strict=True,
    )
  )
  return (
    "<table><thead><tr><th></th><th>video</th><th>true</th><th>estimated</th>"
    f"<th><div class=ticks>{ticks}</div></th></tr></thead>"
    f"<tbody>{''.join(rows)}</tbody></table>"
  )


def _badge(estimate: estimate_lib.Estimate) -> str:
  if estimate.status == "ok":
    return ""
  return f"<em class={estimate.status}>{estimate.status}</em>"


def _percent(speed: float) -> float:
  """A speed's place on the overview's scale."""
  octaves = min(max(math.log2(speed), -drawing.OCTAVES), drawing.OCTAVES)
  return 50 + 50 * octaves / (drawing.OCTAVES + 0.3)
