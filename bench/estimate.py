"""How fast `speedflow estimate` is, and how much memory it takes.

    python -m bench.estimate --out FILE.json [--minutes=5,60]

Runs the command, its start included, on two cores and on files of real
footage at 320x240 and 30 frames per second.
"""

import argparse
import json
import os
import pathlib
import platform
import sys
import tempfile
import time
from collections.abc import Sequence

import av
import numpy as np

from speedflow import media
from speedflow.demo import clips
from speedflow.output import atomic

_SIZE = (320, 240)
_FPS = 30
TARGET_SPEED = 25.0  # Times real time.
TARGET_MEMORY = 1.5 * 2**30  # Bytes, for a file of one hour.


def make_video(
  path: pathlib.Path, seconds: float, size: tuple[int, int] = _SIZE
) -> None:
  """Writes so much footage of the demonstration, again and again."""
  once = path.with_name("once.mp4")
  with media.VideoWriter(once, _FPS, size, crf=23) as writer:
    for source in clips.package_clips():
      with media.VideoReader(source.path, size=size) as reader:
        for frame in reader:
          writer.write(np.ascontiguousarray(frame.image))
  with av.open(str(once)) as given, av.open(str(path), "w") as made:
    stream = given.streams.video[0]
    copy = made.add_stream_from_template(stream)
    packets = [p for p in given.demux(stream) if p.dts is not None]
    length = sum(packet.duration or 0 for packet in packets)
    assert stream.time_base is not None  # Of an open file.
    for number in range(round(seconds * _FPS)):
      turn, place = divmod(number, len(packets))
      packet = packets[place]
      # The muxer changes what it is given.
      again = av.Packet(bytes(packet))
      again.stream, again.time_base = copy, stream.time_base
      again.is_keyframe = packet.is_keyframe
      again.dts = (packet.dts or 0) + turn * length
      again.pts = (packet.pts or 0) + turn * length
      again.duration = packet.duration
      made.mux(again)


def measure(
  path: pathlib.Path, subcommand: str = "estimate"
) -> dict[str, float]:
  """Runs a command on a file; returns its speed and memory."""
  duration_s = media.probe(path).duration_s
  command = [sys.executable, "-m", "speedflow.cli", subcommand, "--json"]
  start = time.perf_counter()
  child = os.posix_spawn(
    sys.executable,
    [*command, str(path)],
    os.environ,
    # The answer itself is not wanted.
    file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
  )
  _, status, usage = os.wait4(child, 0)
  seconds = time.perf_counter() - start
  if code := os.waitstatus_to_exitcode(status):
    raise SystemExit(f"speedflow {subcommand} {path}: exit code {code}")
  return {
    "duration_s": round(duration_s, 1),
    "seconds": round(seconds, 1),
    "times_real_time": round(duration_s / seconds, 1),
    "peak_memory_bytes": usage.ru_maxrss * 1024,
  }


def main(arguments: Sequence[str] | None = None) -> None:
  """Measures, prints a table and writes JSON."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--out", required=True, help="JSON file to write")
  parser.add_argument("--minutes", default="5,60", help="lengths of the files")
  options = parser.parse_args(arguments)
  cores = sorted(os.sched_getaffinity(0))[:2]
  os.sched_setaffinity(0, cores)
  files = []
  with tempfile.TemporaryDirectory() as folder:
    for minutes in map(float, options.minutes.split(",")):
      path = pathlib.Path(folder) / f"{minutes:g}.mp4"
      make_video(path, 60 * minutes)
      files.append(measure(path))
      print(
        f"{minutes:g} min at 320x240: {files[-1]['seconds']:.1f} s,"
        f" {files[-1]['times_real_time']:.0f}x real time"
        f" (wanted: {TARGET_SPEED:g}x),"
        f" {files[-1]['peak_memory_bytes'] / 2**30:.2f} GiB"
        f" (wanted: below {TARGET_MEMORY / 2**30:g})"
      )
  result = {
    "files": files,
    "target_times_real_time": TARGET_SPEED,
    "target_memory_bytes": TARGET_MEMORY,
    "cores": len(cores),
    "processor": platform.processor() or platform.machine(),
    "load_average": os.getloadavg()[0],
  }
  with atomic.atomic_path(options.out) as temporary:
    temporary.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
  main()
