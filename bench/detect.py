"""How fast `speedflow detect` is beside `estimate`, and their memory.

    python -m bench.detect --out FILE.json [--minutes=5,30]

Runs both commands, their start included, on two cores and on the same files
of real footage at 320x240 and 30 frames per second, with sound.
"""

import argparse
import json
import os
import pathlib
import platform
import tempfile
from collections.abc import Iterator, Sequence

from bench import estimate
from speedflow import media
from speedflow.demo import changes
from speedflow.output import atomic

_BLOCK_S = 10.0


def make_video(path: pathlib.Path, seconds: float) -> None:
  """Writes footage of the demonstration with calculated sound."""
  silent = path.with_name("silent.mp4")
  estimate.make_video(silent, seconds)
  with media.VideoReader(silent) as reader:
    info = reader.info
    with media.VideoWriter(
      path, info.fps, (info.width, info.height), audio=_sound(info.duration_s)
    ) as writer:
      for frame in reader:
        writer.write(frame.image)


def main(arguments: Sequence[str] | None = None) -> None:
  """Measures, prints a table and writes JSON."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--out", required=True, help="JSON file to write")
  parser.add_argument("--minutes", default="5,30", help="lengths of the files")
  options = parser.parse_args(arguments)
  os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
  files = []
  with tempfile.TemporaryDirectory() as folder:
    for minutes in map(float, options.minutes.split(",")):
      path = pathlib.Path(folder) / f"{minutes:g}.mp4"
      make_video(path, 60 * minutes)
      for command in ("estimate", "detect"):
        measured = estimate.measure(path, command)
        files.append({"command": command, **measured})
        print(
          f"{command}, {minutes:g} min: {measured['seconds']:.1f} s,"
          f" {measured['times_real_time']:.0f}x real time,"
          f" {measured['peak_memory_bytes'] / 2**30:.2f} GiB"
        )
  result = {
    "files": files,
    "cores": len(os.sched_getaffinity(0)),
    "processor": platform.processor() or platform.machine(),
    "load_average": os.getloadavg()[0],
  }
  with atomic.atomic_path(options.out) as temporary:
    temporary.write_text(json.dumps(result, indent=2) + "\n")


def _sound(seconds: float) -> Iterator[media.Audio]:
  block = changes.calculated_sound(_BLOCK_S)
  for number in range(round(seconds / _BLOCK_S)):
    yield media.Audio(block.samples, block.rate, number * _BLOCK_S)


if __name__ == "__main__":
  main()
