"""What mining leaves behind: tables, a report with pictures, its own account.

`clips.csv` and `clips.parquet` have one row a clip; `slowmo-train.tfrecord-*`
holds the clips as records of shots; `report.html` shows them; `mining.json`
says what was asked for, what happened, and what may be claimed.
"""

import csv
import json
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import cv2
import pyarrow as pa
from pyarrow import parquet

from speedflow import wording
from speedflow.data import records, schema
from speedflow.output import atomic, claims
from speedflow.pages import page

NAME = "slowmo"
"""Name of the data set, the first part of its files' names."""

ACCOUNT = "mining.json"
"""The account's name; it is written last of all."""

_CSV, _PARQUET, _PAGE = "clips.csv", "clips.parquet", "report.html"

# A page with more pictures is too large to open.
_MOST_SHOWN = 200
_PICTURES = 4
_HEIGHT = 96

_NUMBERS = (
  "start_s",
  "end_s",
  "speed",
  "speed_low",
  "speed_high",
  "evidence",
  "fps",
  "capture_fps",
  "declared_capture_fps",
  "declared_speed",
  "bars_top",
  "bars_bottom",
  "bars_left",
  "bars_right",
)


def write(
  clips: Sequence[dict[str, Any]],
  out: pathlib.Path,
  described: dict[str, Any],
  *,
  totals: dict[str, float],
  dropped: Iterable[tuple[str, str]],
  shards: Iterable[str],
  failures: Iterable[tuple[str, str]],
) -> None:
  """Writes all but the shards; removes those that earlier runs wrote.

  Args:
    clips: rows of the clips that were kept.
    out: the folder.
    described: settings, calibration and the like, for the account.
    totals: counts and seconds over all files.
    dropped: clips that were left out, and what they resemble.
    shards: names of the files of records.
    failures: files that could not be read, and why.
  """
  rows = [
    _row(clip)
    for clip in sorted(clips, key=lambda c: (c["source"], c["start_s"]))
  ]
  # A runner may do a part of the work twice, and says so here alone.
  names = sorted(set(shards))
  claims.join(out)
  records.remove_shards(out, NAME, keep=names)
  _write_csv(rows, out / _CSV)
  _write_parquet(rows, out / _PARQUET)
  counts = dict(totals)
  # Sums depend on their order in the last digit.
  seconds, dense_s = (
    round(counts.pop(name, 0.0), 2) for name in ("seconds", "dense_s")
  )
  resembled = dict(sorted(dropped))
  account = {
    **described,
    "clips": len(rows),
    "clip_seconds": round(sum(r["end_s"] - r["start_s"] for r in rows), 2),
    "video_seconds": seconds,
    "densely_scanned_seconds": dense_s,
    "counters": {
      **{name: int(counts[name]) for name in sorted(counts)},
      "near_duplicate": len(resembled),
    },
    "near_duplicates": resembled,
    "unreadable": dict(sorted(failures)),
    "records": names,
  }
  _write_page(rows, out, account)
  with atomic.atomic_path(out / ACCOUNT) as temporary:
    text = json.dumps(account, indent=2, ensure_ascii=False)
    # What is no UTF-8 in a name becomes an escape of JSON.
    temporary.write_text(
      text + "\n", encoding="utf-8", errors="backslashreplace"
    )


def outputs(out: pathlib.Path) -> list[pathlib.Path]:
  """The files that `write` writes."""
  return [out / name for name in (_CSV, _PARQUET, _PAGE, ACCOUNT)]


def read(out: pathlib.Path) -> dict[str, Any]:
  """The account of the run that wrote a folder."""
  return json.loads((out / ACCOUNT).read_text(encoding="utf-8"))


def _row(clip: dict[str, Any]) -> dict[str, Any]:
  return {
    "id": clip["id"],
    "source": clip["source"],
    **{name: clip[name] for name in _NUMBERS},
    **{f"filter_{name}": score for name, score in clip["filters"].items()},
    "hash": " ".join(clip["hash"]),
  }


def _columns(rows: Sequence[dict[str, Any]]) -> list[str]:
  if rows:
    return list(rows[0])
  return ["id", "source", *_NUMBERS, "hash"]


def _write_csv(rows: Sequence[dict[str, Any]], path: pathlib.Path) -> None:
  with atomic.atomic_table(path) as file:
    table = csv.DictWriter(file, _columns(rows))
    table.writeheader()
    table.writerows(
      {
        name: wording.cell(value) if isinstance(value, str) else value
        for name, value in row.items()
      }
      for row in rows
    )


def _write_parquet(rows: Sequence[dict[str, Any]], path: pathlib.Path) -> None:
  texts = ("id", "source", "hash")
  layout = pa.schema(
    [
      (name, pa.string() if name in texts else pa.float64())
      for name in _columns(rows)
    ]
  )
  known = [
    {
      # A file's name may have any bytes.
      name: wording.utf8(value) if isinstance(value, str) else value
      for name, value in row.items()
    }
    for row in rows
  ]
  with atomic.atomic_path(path) as temporary:
    parquet.write_table(pa.Table.from_pylist(known, layout), temporary)


def _write_page(
  rows: Sequence[dict[str, Any]],
  out: pathlib.Path,
  account: dict[str, Any],
) -> None:
  """The contact sheet: frames of the first clips, from the records."""
  by_name: dict[str, schema.ShotRecord] = {}
  if account["records"]:
    stored = records.RecordSource([out / name for name in account["records"]])
    for number in range(len(stored)):
      shot = schema.ShotRecord.decode(stored[number])
      by_name.setdefault(shot.id.split("/")[0], shot)
      if len(by_name) >= _MOST_SHOWN:
        break
  counters = account["counters"]
  page.write(
    out / _PAGE,
    "speedflow.mine",
    "mined.html",
    title="Slow motion found",
    lead=(
      f"{account['clips']} clips, {account['clip_seconds'] / 60:.1f} minutes, "
      f"from {account['video_seconds'] / 3600:.2f} hours of "
      f"{counters.get('files', 0)} files. {account.get('statement', '')}"
    ),
    clips=[
      {**row, "frames": _frames(by_name[row["id"]])}
      for row in rows
      if row["id"] in by_name
    ],
    counters=[
      (name.replace("_", " "), number)
      for name, number in sorted(counters.items(), key=lambda item: -item[1])
    ],
  )


def _frames(shot: schema.ShotRecord) -> list[dict[str, Any]]:
  """Some frames of a clip, from its start to its end."""
  frames = []
  for number in range(_PICTURES):
    index = (2 * number + 1) * shot.num_frames // (2 * _PICTURES)
    image = shot.image(index)
    width = max(1, round(image.shape[1] * _HEIGHT / image.shape[0]))
    small = cv2.resize(image, (width, _HEIGHT), interpolation=cv2.INTER_AREA)
    frames.append(
      {
        "time_s": float(shot.times_s()[index]),
        "uri": page.jpeg_uri(small),
      }
    )
  return frames
