"""HTML pages that need no network: pictures are embedded, videos are linked.

They are Jinja2 templates, which lie beside the modules that fill them in and
extend this package's `page.html`. Whatever is put in is escaped.
"""

import base64
import dataclasses
import functools
import os
import pathlib
import urllib.parse
from typing import Any

import cv2
import jinja2
import markupsafe
import numpy as np

from speedflow.output import atomic, marks
from speedflow.pages import drawing


@dataclasses.dataclass(frozen=True)
class Player:
  """What the macro `player` shows.

  Attributes:
    link: to the video, relative to the page.
    poster: a link that holds what is shown before it plays, or "".
  """

  link: str
  poster: str


def write(
  path: pathlib.Path,
  package: str,
  template: str,
  *,
  title: str,
  lead: str = "",
  **values: Any,
) -> None:
  """Writes a page.

  An `article` with `data-duration` (seconds) whose `.curve` holds a picture of
  time, from `drawing.LEFT` to `drawing.RIGHT`, gets a play head for its video
  there; a click there, or on what has `data-time`, moves the video.

  Args:
    path: where.
    package: whose folder `templates` has the template.
    template: its name; it fills the blocks `style`, `body` and `reading` (how
      to read the page).
    title: the heading.
    lead: a paragraph below it, or "".
    **values: what the template shows; functions in it are called when the
      page has come to them, which keeps memory flat.
  """
  parts = (
    _environment(package)
    .get_template(template)
    .generate(title=title, lead=lead, **values)
  )
  with (
    atomic.atomic_path(path) as temporary,
    temporary.open("w", encoding="utf-8", errors="backslashreplace") as out,
  ):
    # Part by part, for a page holds the pictures of any number of files.
    out.writelines(parts)


def player(
  video: pathlib.Path, folder: pathlib.Path, poster: np.ndarray | None
) -> Player:
  """A video that a page plays.

  Args:
    video: the file.
    folder: of the page, to which the link is relative.
    poster: what to show before it plays, uint8 [h, w, 3], RGB.
  """
  link = urllib.parse.quote(os.path.relpath(video, folder).replace(os.sep, "/"))
  return Player(link, jpeg_uri(poster) if poster is not None else "")


def jpeg_uri(image: np.ndarray) -> str:
  """A picture, uint8 [h, w, 3], RGB, as a link that holds it."""
  _, data = cv2.imencode(
    ".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80]
  )
  return data_uri("image/jpeg", data.tobytes())


def data_uri(kind: str, data: bytes) -> str:
  """Data of a media type as a link that holds it."""
  return f"data:{kind};base64,{base64.b64encode(data).decode()}"


@functools.cache
def _environment(package: str) -> jinja2.Environment:
  """Templates of a package, and those that all share."""
  environment = jinja2.Environment(
    loader=jinja2.ChoiceLoader(
      [jinja2.PackageLoader(package), jinja2.PackageLoader(__package__)]
    ),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
  )
  environment.globals |= {
    "mark": markupsafe.Markup(marks.HTML),
    "left": drawing.LEFT,
    "right": drawing.RIGHT,
  }
  return environment
