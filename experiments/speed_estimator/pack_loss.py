r"""What a pack's rounding does to answers, and what it saves.

  python -m experiments.speed_estimator.pack_loss --records=records/motion \
    --out=experiments/speed_estimator/results/pack_loss.json

The shipped estimator reads validation windows as they are, and rounded by
`pack.levels` with one step after another. Some training records tell how small
each step makes them.
"""

import argparse
import lzma
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.speed_estimator import pack, protocol
from speedflow.data import records
from speedflow.estimate import weights
from speedflow.evaluation import report
from speedflow.training import run_record

STEPS = (0.025, 0.05, 0.1, 0.15, 0.2, 0.3)

_FRAMES = 32
# Every so many training records are compressed: odd, for their looks alternate.
_SAMPLED = 15


def main(argv: Sequence[str] | None = None) -> int:
  """Measures; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument(
    "--records", type=pathlib.Path, default=pathlib.Path("records/motion")
  )
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  paths = {s: records.split_shards(args.records, s) for s in pack.SPLITS}
  windows = protocol.windows(protocol.read_records(paths["val"]), _FRAMES)
  chosen = list(pack.Choice().of(records.RecordSource(paths["train"])))
  maps = [m for r in chosen[::_SAMPLED] for m in r.maps.values()]
  total = sum(len(m) for r in chosen for m in r.maps.values())
  results = {
    **run_record.circumstances(),
    "data_fingerprint": records.fingerprint(*paths.values()),
    "frames": _FRAMES,
    "windows": len(windows),
    "packed_maps": total,
    "rows": measure(windows, maps, total),
  }
  run_record.write_results(args.out, results, table(results))
  return 0


def measure(
  windows: protocol.Windows, maps: Sequence[np.ndarray], total: int
) -> list[dict[str, float]]:
  """What each step costs and saves; the first row is of no rounding.

  Args:
    windows: of validation.
    maps: of training, to be compressed.
    total: maps of training in a whole pack.
  """
  model, extra = weights.SPEED.load()
  frequency = np.array(extra["calibration"]["label_frequency"])
  centres = np.asarray(model.config.centres)

  def read(seen: np.ndarray) -> tuple[np.ndarray, float]:
    probability = protocol.predict(model, seen)
    answers = protocol.answers_of_distribution(
      probability, frequency, centres, windows
    )
    scores = protocol.realtime_scores(answers, windows, intervals=False)
    return probability @ centres, scores["mae"][0]

  unrounded, mae = read(windows.maps)
  values = sum(m.size for m in maps)
  rows = [{"step": 0.0, "mae": mae, "bits": 16.0}]
  for step in STEPS:
    rounded = [pack.restored(pack.levels(w, step), step) for w in windows.maps]
    answer, mae = read(np.stack(rounded))
    moved = np.abs(answer - unrounded)
    packed = b"".join(
      np.moveaxis(pack.levels(m, step), -1, 0).tobytes() for m in maps
    )
    rows.append(
      {
        "step": step,
        "mae": mae,
        "moved_mean": float(moved.mean()),
        "moved_95": float(np.quantile(moved, 0.95)),
        "moved_most": float(moved.max()),
        "bits": 8 * len(lzma.compress(packed)) / values,
      }
    )
  each = values / sum(map(len, maps))
  for row in rows:
    row["mib"] = total * each * row["bits"] / 8 / 2**20
  return rows


def table(results: dict[str, Any]) -> str:
  """The figures as Markdown."""

  def cell(row: dict[str, float], name: str, form: str) -> str:
    return f"{row[name]:{form}}" if name in row else "-"

  columns = {
    "answers moved by, octaves": ("moved_mean", ".3f"),
    "95 % by less than": ("moved_95", ".2f"),
    "the most": ("moved_most", ".2f"),
    "log2 MAE at 1x, 2x, 4x": ("mae", ".3f"),
    "bits a value": ("bits", ".2f"),
    "training split, MiB": ("mib", ".0f"),
  }
  rows = [
    [f"{row['step']:g}" if row["step"] else "float16"]
    + [cell(row, *column) for column in columns.values()]
    for row in results["rows"]
  ]
  return report.markdown(["step", *columns], rows) + "\n"


if __name__ == "__main__":
  sys.exit(report.run(main))
