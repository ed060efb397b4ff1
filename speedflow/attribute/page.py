"""A page with each query beside its best and its worst teachers."""

import pathlib
import tempfile
from collections.abc import Sequence
from typing import Any

from speedflow import media
from speedflow.attribute import scores
from speedflow.attribute.features import Film, Maker, Record
from speedflow.data.records import RecordSource
from speedflow.pages import page as page_lib

# Of the clips that are shown, pixels.
_SIZE = 96

_LEAD = (
  "What a generator learnt from a clip is told by the gradient of its loss. "
  "Clips whose gradients point where a query's does taught its motion; clips "
  "that point the other way taught against it."
)


def write(
  path: pathlib.Path,
  maker: Maker[Any],
  queries: Sequence[Record],
  records: RecordSource,
  ids: Sequence[str],
  ranking: scores.Ranking,
  count: int,
) -> pathlib.Path:
  """Writes the page; it needs no other file.

  Args:
    path: where.
    maker: of the features.
    queries: the first columns of the ranking.
    records: the clips that are ranked.
    ids: their names.
    ranking: of the clips.
    count: best and worst teachers that are shown.

  Returns:
    The path.
  """
  held: dict[int, str] = {}

  def moving(record: Record) -> str:
    return _moving(maker.film(record, _SIZE))

  def clip(index: int, influence: float) -> dict[str, str]:
    if index not in held:
      held[index] = moving(maker.decode(records[index]))
    votes = f"+{ranking.votes_for[index]} -{ranking.votes_against[index]}"
    return {
      "uri": held[index],
      "name": ids[index],
      "note": f"influence {influence:+.2f}, votes {votes}",
    }

  asked = []
  for number, query in enumerate(queries):
    influence = ranking.cosine[:, number]
    order = ranking.by_query[:, number].tolist()
    asked.append(
      {
        "clip": {
          "uri": moving(query),
          "name": query.id,
          "note": "",
        },
        "rows": [
          (title, [clip(index, influence[index]) for index in some])
          for title, some in (
            ("taught it", order[:count]),
            ("taught against it", order[: -count - 1 : -1]),
          )
        ],
      }
    )
  page_lib.write(
    path,
    "speedflow.attribute",
    "influences.html",
    title="Which clips taught this motion?",
    lead=_LEAD,
    shown=maker.shown,
    queries=asked,
  )
  return path


def _moving(film: Film) -> str:
  """A film, in a link that holds it."""
  height, width = film.frames[0].shape[:2]
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "clip.mp4"
    with media.VideoWriter(path, film.fps, (width, height), crf=28) as writer:
      for frame in film.frames:
        writer.write(frame)
    return page_lib.data_uri("video/mp4", path.read_bytes())
