"""HTML pages that need no network: pictures are embedded, videos are linked."""

import base64
import html
import os
import pathlib
import urllib.parse

import cv2
import numpy as np

from speedflow.output import atomic, marks
from speedflow.pages import drawing


def write(
  path: pathlib.Path, title: str, lead: str, body: str, reading: str
) -> None:
  """Writes a page.

  An `article` with `data-duration` (seconds) whose `.curve` holds a picture of
  time, from `drawing.LEFT` to `drawing.RIGHT`, gets a play head for its video
  there; a click there, or on what has `data-time`, moves the video.

  Args:
    path: where.
    title: the heading.
    lead: a paragraph below it, or "".
    body: HTML.
    reading: how to read the page, HTML.
  """
  text = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{marks.HTML}
<title>{html.escape(title)}</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
</head>
<body>
<main>
<header>
<h1>{html.escape(title)}</h1>
{f"<p class=lead>{html.escape(lead)}</p>" if lead else ""}
</header>
{body}
<footer>
<h3>How to read this page</h3>
{reading}
</footer>
</main>
<script>{_SCRIPT}</script>
</body>
</html>
"""
  with atomic.atomic_path(path) as temporary:
    temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def player(
  video: pathlib.Path,
  folder: pathlib.Path,
  poster: np.ndarray | None,
  sound: str = "muted",
) -> str:
  """A video as HTML.

  Args:
    video: the file.
    folder: of the page, to which the link is relative.
    poster: what to show before it plays, uint8 [h, w, 3], RGB.
    sound: "muted", or "" to be heard.
  """
  link = urllib.parse.quote(os.path.relpath(video, folder).replace(os.sep, "/"))
  shown = f' poster="{jpeg_uri(poster)}"' if poster is not None else ""
  return (
    f'<video controls {sound} loop playsinline preload=metadata src="{link}"'
    f"{shown}></video>"
  )


def jpeg_uri(image: np.ndarray) -> str:
  """A picture, uint8 [h, w, 3], RGB, as a link that holds it."""
  _, data = cv2.imencode(
    ".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80]
  )
  return data_uri("image/jpeg", data.tobytes())


def data_uri(kind: str, data: bytes) -> str:
  """Data of a media type as a link that holds it."""
  return f"data:{kind};base64,{base64.b64encode(data).decode()}"


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
  const left = {drawing.LEFT}, width = {drawing.RIGHT - drawing.LEFT:.4f};
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
