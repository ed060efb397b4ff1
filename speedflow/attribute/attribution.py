"""Which clips taught the motion of some queries: from folders to a folder.

The folder that is written holds `features/` (see `store`), and once those are
complete, `influences.csv`, `influences.json`, `selection.csv` (see
`speedflow.data.selection`) and `index.html`. In the CSV files, an id that a
spreadsheet would take for a formula has an apostrophe before it.
"""

import csv
import dataclasses
import json
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from speedflow import wording
from speedflow.attribute import makers, page, scores
from speedflow.attribute.features import Record
from speedflow.attribute.options import Options
from speedflow.attribute.store import FeatureStore, Table
from speedflow.data.records import RecordSource
from speedflow.errors import SpeedflowError
from speedflow.output import atomic, claims

OUTPUTS = ("influences.csv", "influences.json", "selection.csv", "index.html")
"""The files that are written beside the features."""

# Best and worst teachers that are listed for each query.
_LISTED = 10
# Best and worst teachers that the page shows, and queries.
_SHOWN, _SHOWN_QUERIES = 4, 12


@dataclasses.dataclass(frozen=True)
class Answer:
  """What was found.

  Attributes:
    clips: number of clips that were ranked; 0 while features are missing.
    made: number of clips whose features this call made.
    missing: files of records whose features others still have to make.
    selected: number of clips that the selection keeps.
    page: the page; None while features are missing.
  """

  clips: int
  made: int
  missing: int
  selected: int = 0
  page: pathlib.Path | None = None


def attribute(
  queries: pathlib.Path,
  data: pathlib.Path,
  out: pathlib.Path,
  options: Options,
  on_progress: Callable[[float], None] = lambda done: None,
) -> Answer:
  """Ranks the clips of a data set by what they teach of some motions.

  Args:
    queries: see `features.Maker.read_queries`.
    data: folder of records of tracks; of latents, where the weights are Wan.
    out: folder for all results; killed, a second call goes on where it was.
    options: how they are ranked, and which are selected.
    on_progress: called with the share that is done.

  Raises:
    SpeedflowError: bad input.
  """
  options.check()
  top = options.top
  with claims.claim(
    "attribute",
    folders=[out],
    inputs=[queries, data, options.weights],
    overwrite=options.overwrite,
    part=options.part,
  ):
    claims.vet(out / name for name in OUTPUTS)
    maker, shards = makers.load(data, options)
    asked = maker.read_queries(queries, options.query_speed)
    try:
      asked_features = maker.features(asked)
    except SpeedflowError as error:
      raise SpeedflowError(f"{queries}: {error}") from error
    made_by = maker.made_by()
    store = FeatureStore(out / "features", shards, made_by)
    made = store.build(
      maker, options.part, lambda done: on_progress(0.8 * done)
    )
    missing = len(store.missing())
    if missing:
      return Answer(clips=0, made=made, missing=missing)

    records = RecordSource(shards)
    table = store.load()
    ranking = scores.rank(
      table.features.unit, asked_features.unit, top, table.ids
    )
    chosen = selected(ranking, top, drop=options.drop)
    _write_influences(out, table, ranking)
    _write_selection(out / "selection.csv", table, chosen)
    _write_json(
      out / "influences.json",
      {
        **made_by,
        "weights": options.weights,
        "records_sha256": records.fingerprint(),
        "clips": len(table.ids),
        "top": top,
        "queries": _per_query(asked, table, ranking),
      },
    )
    on_progress(0.85)
    path = page.write(
      out / "index.html",
      maker,
      asked[:_SHOWN_QUERIES],
      records,
      table.ids,
      ranking,
      _SHOWN,
    )
    on_progress(1.0)
    return Answer(
      clips=len(table.ids),
      made=made,
      missing=0,
      selected=int(chosen.sum()),
      page=path,
    )


def selected(
  ranking: scores.Ranking, top: float, *, drop: bool = False
) -> np.ndarray:
  """Which clips to train on: the best, or all but the worst; bool [n]."""
  count = scores.share(top, len(ranking.order))
  keep = np.full(len(ranking.order), drop)
  part = ranking.order[-count:] if drop else ranking.order[:count]
  keep[part] = not drop
  return keep


def _write_influences(
  out: pathlib.Path, table: Table, ranking: scores.Ranking
) -> None:
  columns = ("rank", "id", "influence", "votes_for", "votes_against")
  more = ("gradient_norm", "moments", "motion")
  with atomic.atomic_table(out / "influences.csv") as file:
    rows = csv.writer(file)
    rows.writerow([*columns, *more])
    for place, index in enumerate(ranking.order.tolist(), 1):
      features = table.features
      rows.writerow(
        [
          place,
          wording.cell(table.ids[index]),
          f"{ranking.mean[index]:.5f}",
          ranking.votes_for[index],
          ranking.votes_against[index],
          f"{features.norm[index]:.4g}",
          features.length[index],
          f"{features.motion[index]:.4g}",
        ]
      )


def _write_selection(
  path: pathlib.Path, table: Table, chosen: np.ndarray
) -> None:
  with atomic.atomic_table(path) as file:
    rows = csv.writer(file)
    rows.writerow(["id", "weight", "decision"])
    for name, keep in zip(table.ids, chosen.tolist(), strict=True):
      decision = "keep" if keep else "drop"
      rows.writerow([wording.cell(name), int(keep), decision])


def _write_json(path: pathlib.Path, content: dict[str, Any]) -> None:
  with atomic.atomic_path(path) as temporary:
    temporary.write_text(json.dumps(content, indent=2) + "\n")


def _per_query(
  asked: Sequence[Record], table: Table, ranking: scores.Ranking
) -> list[dict[str, Any]]:
  """The best and the worst teachers of each query."""
  told = []
  for number, query in enumerate(asked):
    influence = ranking.cosine[:, number]
    order = ranking.by_query[:, number]

    def listed(indices: np.ndarray, influence=influence) -> list[dict]:
      return [
        {"id": table.ids[i], "influence": round(float(influence[i]), 5)}
        for i in indices.tolist()
      ]

    told.append(
      {
        "id": query.id,
        "positive": listed(order[:_LISTED]),
        "negative": listed(order[: -_LISTED - 1 : -1]),
      }
    )
  return told
