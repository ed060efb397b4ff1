"""A page with each query beside its best and its worst teachers."""

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
  held: dict[int, str] = {}

  def clip(index: int, influence: float) -> dict[str, str]:
    if index not in held:
      held[index] = _moving(tracks.TrackRecord.decode(records[index]))
    votes = f"+{ranking.votes_for[index]} -{ranking.votes_against[index]}"
    return {
      "uri": held[index],
      "name": tracks.record_id(records[index]),
      "note": f"influence {influence:+.2f}, votes {votes}",
    }

  shown = []
  for number, query in enumerate(queries):
    influence = ranking.cosine[:, number]
    order = ranking.by_query[:, number].tolist()
    shown.append(
      {
        "clip": {"uri": _moving(query), "name": query.id, "note": ""},
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
    queries=shown,
  )
  return path


def _moving(record: tracks.TrackRecord) -> str:
  """A record as a small video, in a link that holds it."""
  image = cv2.resize(
    record.image, (_SIZE, _SIZE), interpolation=cv2.INTER_CUBIC
  )
  warper = warp.Warper(image, tracks.GRID)
  seconds = min(float(record.times_s[-1]), _LONGEST_S)
  times = np.arange(max(int(seconds * _FPS), 1) + 1) / _FPS
  trajectories = tracks.between(
    record.times_s, record.trajectories.astype(np.float32), times
  )
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "clip.mp4"
    with media.VideoWriter(path, _FPS, (_SIZE, _SIZE), crf=28) as writer:
      for moment in trajectories:
        writer.write(warper.frame(moment[None]))
    return page_lib.data_uri("video/mp4", path.read_bytes())
