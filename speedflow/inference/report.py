"""Pages that show how fast videos play.

A page is one HTML file that needs no network: pictures are embedded, videos
are linked by relative path.
"""

import base64
import dataclasses
import html
import math
import os
import pathlib
import urllib.parse
from collections.abc import Sequence

import cv2
import numpy as np

from speedflow import atomic, media
from speedflow.inference import estimate as estimate_lib
from speedflow.inference import plot

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
      title=pathlib.Path(e.file).name,
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


def write_page(
  path: pathlib.Path, title: str, lead: str, groups: Sequence[Group]
) -> None:
  """Writes a page with players, curves and film strips.

  Args:
    path: where; videos are linked relative to its folder.
    title: the heading.
    lead: a paragraph below it, or "".
    groups: what to show, in order.
  """
  cards = []
  for group in groups:
    cards.append("<section>")
    if group.title:
      cards.append(f"<h2>{_text(group.title)}</h2>")
    if group.note:
      cards.append(f"<p class=note>{_text(group.note)}</p>")
    cards += [_card(exhibit, path.parent) for exhibit in group.exhibits]
    cards.append("</section>")
  page = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_text(title)}</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
</head>
<body>
<main>
<header>
<h1>{_text(title)}</h1>
{f"<p class=lead>{_text(lead)}</p>" if lead else ""}
</header>
{_overview(groups)}
{chr(10).join(cards)}
<footer>
<h3>How to read this page</h3>
<p><b>Speed</b> is a factor: 2x plays twice as fast as the world, 1/4x is
slowed down four times. The <b>line</b> is the estimate over time, the
<b>band</b> holds the true speed with 80 % probability, and a <b>dashed line
</b> is the true speed where it is known. <b>Uncertain</b> means that the
picture does not tell: it is still, dark, too short, or shows nothing whose
natural pace is known; then no number is given. Click into a curve or onto a
frame to go there.</p>
</footer>
</main>
<script>{_SCRIPT}</script>
</body>
</html>
"""
  with atomic.atomic_path(path) as temporary:
    temporary.write_text(page, encoding="utf-8", errors="backslashreplace")


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
    f"<h3>{_text(exhibit.title)} {_badge(estimate)}</h3>",
    f"<p class=words>This video {_text(estimate.in_words())}.</p>",
  ]
  if estimate.status == "error":
    return "\n".join([*parts, "</article>"])
  parts.append("<div class=pair>")
  if exhibit.video is not None:
    poster = f' poster="{_jpeg_uri(frames[0][1])}"' if frames else ""
    link = urllib.parse.quote(
      os.path.relpath(exhibit.video, folder).replace(os.sep, "/")
    )
    parts.append(
      f'<video controls muted loop playsinline preload=metadata src="{link}"'
      f"{poster}></video>"
    )
  curve = _data_uri("image/svg+xml", plot.curve_svg(exhibit).encode())
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
        f'<figure data-time={time_s:.4f}><img src="{_jpeg_uri(image)}" '
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
        f"<tr><td>{'' if number else _text(group.title)}</td>"
        f"<td>{_text(exhibit.title)}</td>"
        f"<td>{exhibit.expected_text}</td><td>{speed}</td>"
        f"<td><div class=bar>{bar}</div></td></tr>"
      )
  ticks = "".join(
    f'<span style="left:{_percent(2.0**o):.2f}%">{label}</span>'
    for o, label in zip(
      range(-plot.OCTAVES, plot.OCTAVES + 1),
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
  octaves = min(max(math.log2(speed), -plot.OCTAVES), plot.OCTAVES)
  return 50 + 50 * octaves / (plot.OCTAVES + 0.3)


def _jpeg_uri(image: np.ndarray) -> str:
  _, data = cv2.imencode(
    ".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80]
  )
  return _data_uri("image/jpeg", data.tobytes())


def _data_uri(kind: str, data: bytes) -> str:
  return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _text(text: str) -> str:
  return html.escape(text)


_STYLE = """
:root { --ink: #0f172a; --muted: #64748b; --line: #e2e8f0; --accent: #2563eb;
  --true: #d97706; }
* { box-sizing: border-box; }
body { margin: 0; background: #f6f8fb; color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 34px; line-height: 1.15; letter-spacing: -.02em; margin: 0; }
h2 { font-size: 22px; letter-spacing: -.01em; margin: 48px 0 4px; }
h3 { font-size: 16px; margin: 0; }
.lead { color: var(--muted); font-size: 17px; max-width: 46em;
  margin: 8px 0 0; }
.note { color: var(--muted); margin: 0 0 12px; }
article, table, footer { background: #fff; border: 1px solid var(--line);
  border-radius: 14px; box-shadow: 0 1px 3px #0f172a0d; }
article { padding: 20px 24px; margin: 16px 0; }
.words { margin: 2px 0 14px; color: var(--muted); }
.pair { display: flex; gap: 24px; align-items: center; flex-wrap: wrap; }
video { width: 320px; max-height: 240px; background: #0f172a;
  border-radius: 10px; }
.curve { position: relative; flex: 1 1 420px; cursor: crosshair; }
.curve img { display: block; width: 100%; }
.curve i { position: absolute; top: 4%; bottom: 20%; width: 2px; left: 0;
  background: var(--ink); opacity: 0; pointer-events: none; }
.strip { display: flex; gap: 14px; margin-top: 16px; overflow: hidden; }
.strip figure { margin: 0; flex: 1 1 0; min-width: 0; cursor: pointer; }
.strip img { display: block; width: 100%; height: 84px; object-fit: cover;
  border-radius: 8px; }
figcaption { display: flex; justify-content: space-between; font-size: 13px;
  padding-top: 4px; font-variant-numeric: tabular-nums; }
figcaption span, small { color: var(--muted); }
table { width: 100%; border-collapse: separate; border-spacing: 0;
  margin: 28px 0 8px; padding: 10px 24px; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 500; color: var(--muted); font-size: 13px; }
td, th { padding: 5px 12px 5px 0; white-space: nowrap; }
td:nth-child(1) { color: var(--muted); }
td:last-child, th:last-child { width: 52%; padding-right: 0; }
.bar, .ticks { position: relative; height: 18px; }
.bar { background: linear-gradient(var(--line), var(--line)) 50% 50% / 1px 100%
  no-repeat, #f6f8fb; border-radius: 9px; }
.bar > *, .ticks > * { position: absolute; }
.ticks > * { transform: translateX(-50%); }
.bar s { top: 5px; height: 8px; border-radius: 4px; background: #2563eb40; }
.bar b { top: 4px; width: 10px; height: 10px; margin-left: -5px;
  border-radius: 5px; background: var(--accent); }
.bar u { top: 1px; width: 3px; height: 16px; margin-left: -1.5px;
  border-radius: 2px; background: var(--true); }
em { font: 500 12px/1 system-ui, sans-serif; padding: 3px 8px;
  border-radius: 20px; vertical-align: 1px; }
em.uncertain { background: #fef3c7; color: #92400e; }
em.error { background: #fee2e2; color: #991b1b; }
footer { margin-top: 48px; padding: 20px 24px; color: var(--muted); }
footer p { margin: 6px 0 0; } footer b, footer h3 { color: var(--ink); }
"""

_SCRIPT = f"""
for (const card of document.querySelectorAll("article")) {{
  const video = card.querySelector("video");
  const curve = card.querySelector(".curve");
  if (!video || !curve) continue;
  const head = curve.querySelector("i"), length = +card.dataset.duration;
  const left = {plot.LEFT}, width = {plot.RIGHT - plot.LEFT:.4f};
  const follow = () => {{
    const done = Math.min(video.currentTime / length, 1);
    head.style.left = 100 * (left + width * done) + "%";
    head.style.opacity = video.currentTime > 0 ? 0.6 : 0;
    if (!video.paused) requestAnimationFrame(follow);
  }};
  for (const name of ["play", "seeked"]) video.addEventListener(name, follow);
  curve.addEventListener("click", (event) => {{
    const box = curve.getBoundingClientRect();
    const place = ((event.clientX - box.left) / box.width - left) / width;
    video.currentTime = length * Math.min(Math.max(place, 0), 1);
  }});
  for (const frame of card.querySelectorAll("[data-time]"))
    frame.addEventListener("click", () => {{
      video.currentTime = +frame.dataset.time;
    }});
}}
"""
