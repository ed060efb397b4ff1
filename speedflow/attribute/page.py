"""A page with each query beside its best and its worst teachers."""

import html
import pathlib
import tempfile
from collections.abc import Sequence

import cv2
import numpy as np

from speedflow import media
from speedflow.attribute import scores
from speedflow.data import tracks
from speedflow.data.records import RecordSource
from speedflow.generate import warp
from speedflow.pages import page as page_lib

# Of the clips that are shown, pixels.
_SIZE = 96
_FPS = 10
_LONGEST_S = 2.0

_LEAD = (
  "What a generator learnt from a clip is told by the gradient of its loss. "
  "Clips whose gradients point where a query's does taught its motion; clips "
  "that point the other way taught against it."
)

_READING = """<p><b>Influence</b> is the cosine of two projected gradients: 1
teaches the same, 0 something else, -1 the opposite. Every clip is shown as the
generator knows it: its first picture, moved to where its points were found to
go. At most two seconds of each are shown, at the pace of the world.
<b>Votes</b>: of how many queries a clip is among the best, or the
worst.</p>"""

_STYLE = """
.teach { display: grid; grid-template-columns: 150px 1fr; gap: 8px 24px; }
.teach video { width: 96px; height: 96px; display: block; }
.teach figure { margin: 0; width: 96px; }
.teach figcaption { display: block; font-size: 12px; overflow-wrap: anywhere; }
.row { display: flex; gap: 12px; flex-wrap: wrap; }
.teach h4 { margin: 0 0 4px; font-size: 13px; font-weight: 500; }
.teach .asked { grid-row: span 2; }
"""


def write(
  path: pathlib.Path,
  queries: Sequence[tracks.TrackRecord],
  records: RecordSource,
  ranking: scores.Ranking,
  count: int,
) -> pathlib.Path:
  """Writes the page; it needs no other file.

  Args:
    path: where.
    queries: the first columns of the ranking.
    records: the clips that are ranked.
    ranking: of the clips.
    count: best and worst teachers that are shown.

  Returns:
    The path.
  """
  shown: dict[int, str] = {}

  def figure(index: int, influence: float) -> str:
    if index not in shown:
      shown[index] = _moving(tracks.TrackRecord.decode(records[index]))
    votes = f"+{ranking.votes_for[index]} -{ranking.votes_against[index]}"
    return _figure(
      shown[index],
      tracks.record_id(records[index]),
      f"influence {influence:+.2f}, votes {votes}",
    )

  cards = [f"<style>{_STYLE}</style>"]
  for number, query in enumerate(queries):
    influence = ranking.cosine[:, number]
    order = ranking.by_query[:, number].tolist()
    cards += [
      "<article><div class=teach>",
      f"<div class=asked><h4>Query</h4>{_figure(_moving(query), query.id)}"
      "</div>",
    ]
    for title, some in (
      ("taught it", order[:count]),
      ("taught against it", order[: -count - 1 : -1]),
    ):
      figures = "".join(figure(index, influence[index]) for index in some)
      cards.append(f"<div><h4>{title}</h4><div class=row>{figures}</div></div>")
    cards.append("</div></article>")
  page_lib.write(
    path, "Which clips taught this motion?", _LEAD, "\n".join(cards), _READING
  )
  return path


def _figure(video: str, name: str, note: str = "") -> str:
  return (
    f'<figure><video autoplay muted loop playsinline src="{video}"></video>'
    f"<figcaption>{html.escape(name)}<br><small>{html.escape(note)}</small>"
    "</figcaption></figure>"
  )


def _moving(record: tracks.TrackRecord) -> str:
  """A record as a small video, in a link that holds it."""
  image = cv2.resize(
    record.image, (_SIZE, _SIZE), interpolation=cv2.INTER_CUBIC
  )
  warper = warp.Warper(image, tracks.GRID)
  seconds = min(float(record.times_s[-1]), _LONGEST_S)
  times = np.arange(max(int(seconds * _FPS), 1) + 1) / _FPS
  ways = tracks.between(record.times_s, record.ways.astype(np.float32), times)
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "clip.mp4"
    with media.VideoWriter(path, _FPS, (_SIZE, _SIZE), crf=28) as writer:
      for moment in ways:
        writer.write(warper.frame(moment[None]))
    return page_lib.data_uri("video/mp4", path.read_bytes())
