"""What commands cost beside FFmpeg, and beside an earlier version.

    python -m bench.beside_ffmpeg --out FILE.json [--before FOLDER]
      [--rows=1080p,small,short,one] [--verbs=estimate,detect] [--repeats=2]
      [--seconds=60] [--files=100]

Every row is a call, its start included: a file of 1080p, one of five times the
length at 426x240, ten of two seconds, and one of two seconds. For `superres`,
which doubles the frames of one file, there is a row `720p` of a sixth of the
length; for `mine`, with two workers, a row `many` of so many files of a second;
and there are rows `5min` and `60min` of 320x240. The verbs `import` and `help`
take no file: `import speedflow` and `speedflow --help`.

FFmpeg decodes the same files and scales them to the size at which flow is
computed. All take turns, on two cores; the least of the repeats counts. The
earlier version is a checkout in `--before`, run by the same interpreter.
"""

import argparse
import json
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent import futures
from multiprocessing import get_context
from typing import Any

from bench import estimate
from speedflow import media
from speedflow.output import atomic

_FFMPEG = """
import sys, av
from av.filter import Graph
for path in sys.argv[1:]:
  with av.open(path) as container:
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    graph = Graph()
    graph.link_nodes(
      graph.add_buffer(template=stream, time_base=stream.time_base),
      graph.add("scale", "128:96:flags=area"),
      graph.add("format", "gray"),
      graph.add("buffersink"),
    ).configure()
    for frame in container.decode(stream):
      graph.vpush(frame)
      while True:
        try:
          graph.vpull()
        except (BlockingIOError, EOFError):
          break
"""
_HERE = pathlib.Path(__file__).parents[1]


def make_files(
  folder: pathlib.Path, rows: Sequence[str], seconds: float, count_many: int
) -> dict[str, list[str]]:
  """Writes the files of each row, and returns their paths."""
  sizes = {
    "1080p": (1, seconds, (1920, 1080)),
    "small": (1, 5 * seconds, (426, 240)),
    "short": (10, 2.0, (640, 360)),
    "one": (1, 2.0, (640, 360)),
    "720p": (1, seconds / 6, (1280, 720)),
    "5min": (1, 300.0, (320, 240)),
    "60min": (1, 3600.0, (320, 240)),
  }
  files: dict[str, list[str]] = {}
  for row in rows:
    if row == "many":
      # It imports JAX, whose memory would count as every child's.
      from bench import mine

      many = folder / row
      many.mkdir()
      mine.make_files(many, count_many, 1.0)
      files[row] = [str(path) for path in sorted(many.glob("*.mp4"))]
      continue
    count, length_s, size = sizes[row]
    files[row] = []
    for number in range(count):
      # Of a folder of its own: `make_video` leaves a file beside it.
      path = folder / row / f"{number}.mp4"
      path.parent.mkdir(exist_ok=True)
      estimate.make_video(path, length_s, size)
      files[row].append(str(path))
  return files


def measure(command: Sequence[str], root: pathlib.Path) -> dict[str, float]:
  """Runs a command; returns what it took."""
  start = time.perf_counter()
  child = os.posix_spawn(
    sys.executable,
    # Not from the folder that this runs in.
    [sys.executable, "-P", *command],
    {**os.environ, "PYTHONPATH": str(root)},
    # The answer itself is not wanted.
    file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
  )
  _, status, usage = os.wait4(child, 0)
  seconds = time.perf_counter() - start
  if code := os.waitstatus_to_exitcode(status):
    raise SystemExit(f"{' '.join(command[:4])}: exit code {code}")
  return {
    "seconds": round(seconds, 2),
    "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
    "peak_memory_bytes": usage.ru_maxrss * 1024,
  }


def _command(verb: str, files: Sequence[str]) -> list[str]:
  """What is run."""
  if verb == "import":
    return ["-c", "import speedflow"]
  if verb == "help":
    return ["-m", "speedflow.cli", "--help"]
  path_in, *_ = files
  if verb == "mine":
    folder = pathlib.Path(path_in).parent
    # Another one each time: nothing is gone on with.
    fresh = tempfile.mkdtemp(dir=folder.parent)
    given = ["--out", fresh, "--workers=2"]
    return ["-m", "speedflow.cli", verb, str(folder), *given]
  if verb == "superres":
    out = str(pathlib.Path(path_in).with_name("made.mp4"))
    return ["-m", "speedflow.cli", verb, path_in, out, "--overwrite"]
  return ["-m", "speedflow.cli", verb, "--json", *files]


def _least(runs: Sequence[dict[str, float]]) -> dict[str, float]:
  return {name: min(run[name] for run in runs) for name in runs[0]}


def main(arguments: Sequence[str] | None = None) -> None:
  """Measures, prints a table and writes JSON."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--out", required=True, help="JSON file to write")
  parser.add_argument("--before", type=pathlib.Path, help="earlier checkout")
  parser.add_argument("--rows", default="1080p,small,short,one")
  parser.add_argument("--verbs", default="estimate,detect")
  parser.add_argument("--repeats", type=int, default=2)
  parser.add_argument("--seconds", type=float, default=60.0)
  parser.add_argument("--files", type=int, default=100, help="of `many`")
  options = parser.parse_args(arguments)
  os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
  versions = {"speedflow": _HERE}
  if options.before:
    versions["before"] = options.before
  rows: list[dict[str, Any]] = []
  with tempfile.TemporaryDirectory() as folder:
    # By another process: a child's memory is counted from its parent's on.
    with futures.ProcessPoolExecutor(1, get_context("spawn")) as pool:
      made = pool.submit(
        make_files,
        pathlib.Path(folder),
        options.rows.split(","),
        options.seconds,
        options.files,
      ).result()
    for verb in options.verbs.split(","):
      for row, files in made.items():
        runs: dict[str, list[dict[str, float]]] = {}
        for _ in range(options.repeats):
          for name, root in versions.items():
            runs.setdefault(name, []).append(
              measure(_command(verb, files), root)
            )
          ffmpeg = measure(["-c", _FFMPEG, *files], _HERE)
          runs.setdefault("ffmpeg", []).append(ffmpeg)
        found = {name: _least(each) for name, each in runs.items()}
        length_s = sum(media.probe(file).duration_s for file in files)
        rows.append(
          {"verb": verb, "row": row, "video_s": round(length_s, 1), **found}
        )
        print(
          f"{verb} {row}: "
          + ", ".join(
            f"{name} {one['cpu_seconds']:.2f} CPU s in {one['seconds']:.2f} s"
            f" ({one['peak_memory_bytes'] / 2**20:.0f} MiB)"
            for name, one in found.items()
          ),
          flush=True,
        )
  # JAX comes with it: until now, it would count as every child's memory.
  from speedflow.training import run_record

  result = {
    **run_record.circumstances(),
    "cores": len(os.sched_getaffinity(0)),
    "load_average": os.getloadavg()[0],
    "rows": rows,
  }
  with atomic.atomic_path(options.out) as temporary:
    temporary.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
  main()
