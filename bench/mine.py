"""How many hours of video `speedflow mine` goes through in a core-hour.

    python -m bench.mine --out FILE.json [--files=10,100,1000] [--workers=1,2]

Runs the command, its start included, on short files of real footage, each with
another content. One worker has one core, two have two.
"""

import argparse
import json
import os
import pathlib
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from bench.estimate import make_video
from speedflow import atomic, media

_SECONDS = 10.0
_ON_PAPER_HOURS = 1_000_000


def make_files(folder: pathlib.Path, count: int) -> None:
  """Writes files whose contents differ by the bytes after their end."""
  first = folder / "0000.mp4"
  make_video(first, _SECONDS)
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


def main(arguments: Sequence[str] | None = None) -> None:
  """Measures, prints a table and writes JSON."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--out", required=True, help="JSON file to write")
  parser.add_argument("--files", default="10,100,1000")
  parser.add_argument("--workers", default="1,2")
  options = parser.parse_args(arguments)
  runs = []
  for count in map(int, options.files.split(",")):
    with tempfile.TemporaryDirectory() as name:
      folder = pathlib.Path(name)
      make_files(folder, count)
      for workers in map(int, options.workers.split(",")):
        runs.append(measure(folder, workers))
        print(
          f"{count} files, {workers} workers: "
          f"{runs[-1]['video_hours_per_core_hour']:.1f} hours of video a "
          f"core-hour, {runs[-1]['video_hours_per_hour']:.1f} an hour, "
          f"{runs[-1]['peak_memory_bytes'] / 2**30:.2f} GiB"
        )
  best = max(run["video_hours_per_core_hour"] for run in runs)
  result = {
    "runs": runs,
    "core_hours_for_a_million_hours": round(_ON_PAPER_HOURS / best),
    "processor": platform.processor() or platform.machine(),
    "load_average": os.getloadavg()[0],
  }
  with atomic.atomic_path(options.out) as temporary:
    temporary.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
  main()
