"""How many hours of video `speedflow mine` goes through in a core-hour.

    python -m bench.mine --out FILE.json [--files=10,100,1000] [--workers=1,2]
      [--seconds=10] [--hours=0.1,1,3]

Runs the command, its start included, on short files of real footage, each with
another content, and then on one long file after the other. One worker has one
core, two have two.
"""

import argparse
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any

from bench.estimate import make_video
from speedflow import media
from speedflow.output import atomic
from speedflow.training import run_record

_ON_PAPER_HOURS = 1_000_000


def make_files(folder: pathlib.Path, count: int, seconds: float) -> None:
  """Writes files whose contents differ by the bytes after their end."""
  first = folder / "0000.mp4"
  make_video(first, seconds)
  first.with_name("once.mp4").unlink()
  data = first.read_bytes()
  for number in range(1, count):
    # A box of free space, which players pass over (ISO/IEC 14496-12, 8.1.2).
    box = (16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big")
    (folder / f"{number:04d}.mp4").write_bytes(data + box)


def measure(folder: pathlib.Path, workers: int) -> dict[str, Any]:
  """Mines a folder; returns speed and memory."""
  files = sorted(folder.glob("*.mp4"))
  hours = len(files) * media.probe(files[0]).duration_s / 3600
  cores = sorted(os.sched_getaffinity(0))
  out = folder / "out"
  command = [sys.executable, "-m", "speedflow.cli", "mine", str(folder)]
  command += ["--out", str(out), "--workers", str(workers)]
  start = time.perf_counter()
  os.sched_setaffinity(0, cores[:workers])
  try:
    child = os.posix_spawn(
      sys.executable,
      command,
      os.environ,
      file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
  finally:
    os.sched_setaffinity(0, cores)
  _, status, usage = os.wait4(child, 0)
  seconds = time.perf_counter() - start
  if code := os.waitstatus_to_exitcode(status):
    raise SystemExit(f"speedflow mine {folder}: exit code {code}")
  shutil.rmtree(out)
  cpu_hours = (usage.ru_utime + usage.ru_stime) / 3600
  return {
    "files": len(files),
    "workers": workers,
    "video_hours": round(hours, 4),
    "seconds": round(seconds, 1),
    "cpu_seconds": round(3600 * cpu_hours, 1),
    "video_hours_per_core_hour": round(hours / cpu_hours, 2),
    "video_hours_per_hour": round(3600 * hours / seconds, 2),
    "peak_memory_bytes": usage.ru_maxrss * 1024,
  }


def _measured(
  count: int, seconds: float, workers: Sequence[int]
) -> Iterator[dict[str, Any]]:
  """Mines so many files of so many seconds each, and prints what it took."""
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    make_files(folder, count, seconds)
    for number in workers:
      run = measure(folder, number)
      print(
        f"{count} files, {run['video_hours']:.2f} hours, {number} workers: "
        f"{run['video_hours_per_core_hour']:.1f} hours of video a core-hour, "
        f"{run['video_hours_per_hour']:.1f} an hour, "
        f"{run['peak_memory_bytes'] / 2**30:.2f} GiB",
        flush=True,
      )
      yield run


def main(arguments: Sequence[str] | None = None) -> None:
  """Measures, prints a table and writes JSON."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--out", required=True, help="JSON file to write")
  parser.add_argument("--files", default="10,100,1000")
  parser.add_argument("--workers", default="1,2")
  parser.add_argument("--seconds", type=float, default=10.0, help="of a file")
  parser.add_argument("--hours", default="0.1,1,3", help="of long files")
  options = parser.parse_args(arguments)
  counts = [int(text) for text in options.files.split(",") if text]
  workers = [int(text) for text in options.workers.split(",")]
  hours = [float(text) for text in options.hours.split(",") if text]
  many = [
    run
    for count in counts
    for run in _measured(count, options.seconds, workers)
  ]
  long = [run for each in hours for run in _measured(1, 3600 * each, [1])]
  best = max(run["video_hours_per_core_hour"] for run in many + long)
  result = {
    **run_record.circumstances(),
    "many_files": many,
    "long_files": long,
    "core_hours_for_a_million_hours": round(_ON_PAPER_HOURS / best),
    "load_average": os.getloadavg()[0],
  }
  with atomic.atomic_path(options.out) as temporary:
    temporary.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
  main()
