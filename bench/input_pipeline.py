"""How fast clips come from records, beside bare decoding and other loaders.

    python -m bench.input_pipeline --records DIR --out FILE.json

Takes random clips of 16 consecutive frames from the same shots, on one core:
this project's records by way of its pipeline; webdataset on tar files of the
same JPEGs; decord on H.264 files of the same frames; each cropped to what a
network takes. A second figure of ours is for four clips a shot, as training
takes them to compare their speeds. Beside them, bare decoding of JPEGs that lie
in memory. All take turns for several rounds, so that a busy machine slows them
alike, and the median of the rounds counts.
"""

import argparse
import functools
import itertools
import json
import operator
import os
import pathlib
import platform
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, SupportsIndex

import cv2
import decord
import numpy as np
import webdataset

from speedflow import media
from speedflow.data import pipeline, records, schema
from speedflow.output import atomic

CLIP = 16  # Frames.
CROP = 224  # Pixels of both sides of what a loader hands on.
TARGET = 0.8  # Of the rate of bare decoding.

# Encoding takes long, and the time of a seek does not depend on the number.
_VIDEOS = 24

Clips = Iterator[Any]
"""Endless clips, one at a time."""


def bare(shots: Sequence[schema.ShotRecord]) -> Clips:
  """Decodes JPEGs from memory and does no more: nothing can be faster."""
  rng = np.random.default_rng(0)
  while True:
    shot = shots[int(rng.integers(len(shots)))]
    first = _first(shot.num_frames, rng)
    yield [_decode(jpeg) for jpeg in shot.frames[first : first + CLIP]]


def from_records(source: pipeline.Source, clips_per_shot: int) -> Clips:
  """Reads through the pipeline of training; one core needs no threads."""
  take = functools.partial(_take_clips, count=clips_per_shot)
  batches = pipeline.batches(
    source, [take], batch_size=1, seed=0, num_threads=0
  )
  for batch in batches:
    yield from batch[0]


def from_tar(path: pathlib.Path) -> Clips:
  """Reads a tar file of JPEGs by webdataset, a sample per shot."""
  rng = np.random.default_rng(0)
  samples = webdataset.WebDataset(str(path), shardshuffle=False).repeat()
  for sample in samples:
    names = sorted(name for name in sample if name.endswith("jpg"))
    first = _first(len(names), rng)
    yield _crop([_decode(sample[n]) for n in names[first : first + CLIP]])


def from_videos(paths: Sequence[pathlib.Path]) -> Clips:
  """Seeks and decodes H.264 by decord."""
  rng = np.random.default_rng(0)
  while True:
    path = paths[int(rng.integers(len(paths)))]
    reader = decord.VideoReader(str(path), num_threads=1)
    first = _first(len(reader), rng)
    yield _crop(reader.get_batch(range(first, first + CLIP)).asnumpy())


def _take_clips(
  record: bytes, rng: np.random.Generator, count: int
) -> np.ndarray:
  """Returns [count, 16, h, w, 3], each frame copied once."""
  shot = schema.ShotRecord.decode(record)
  firsts = [_first(shot.num_frames, rng) for _ in range(count)]
  frames = _crop(
    [shot.image(first + offset) for first in firsts for offset in range(CLIP)]
  )
  return frames.reshape(count, CLIP, *frames.shape[1:])


class _Subset:
  """Some records of a source."""

  def __init__(self, source: pipeline.Source, numbers: Sequence[int]):
    self._source = source
    self._numbers = numbers

  def __len__(self) -> int:
    return len(self._numbers)

  def __getitem__(self, index: SupportsIndex) -> bytes:
    return self._source[self._numbers[operator.index(index)]]


def _first(frames: int, rng: np.random.Generator) -> int:
  return int(rng.integers(frames - CLIP + 1))


def _decode(jpeg: bytes | memoryview) -> Any:
  return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)


def _crop(images: Iterable[np.ndarray]) -> np.ndarray:
  """Makes a clip as networks take it, uint8 [16, 224, 224, 3] or smaller."""
  return np.stack([image[:CROP, :CROP] for image in images])


def measure(
  loaders: dict[str, Clips], rounds: int, seconds: float
) -> dict[str, dict[str, float]]:
  """Times the loaders in turns.

  Returns:
    By loader, frames per second of the clock and of the processor, medians.
  """
  rates: dict[str, list[tuple[float, float]]] = {name: [] for name in loaders}
  for clips in loaders.values():
    next(clips)
  for _, (name, clips) in itertools.product(range(rounds), loaders.items()):
    wall, cpu, frames = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - wall < seconds:
      frames += len(next(clips))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    rates[name].append((frames / wall, frames / cpu))
  return {
    name: {
      "frames_per_s": round(statistics.median(w for w, _ in measured), 1),
      "frames_per_cpu_s": round(statistics.median(c for _, c in measured), 1),
    }
    for name, measured in rates.items()
  }


def run(folder: str, shots: int, rounds: int, seconds: float) -> dict:
  """Measures on records of a folder; returns the result, ready for JSON."""
  # One core for everything, threads of libraries included.
  os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
  cv2.setNumThreads(1)
  source = records.RecordSource(pathlib.Path(folder) / "*-train.*")
  in_memory: dict[int, schema.ShotRecord] = {}
  for number in range(len(source)):
    shot = schema.ShotRecord.decode(source[number])
    if shot.num_frames >= CLIP and len(in_memory) < shots:
      in_memory[number] = shot
  subset = _Subset(source, list(in_memory))
  chosen = list(in_memory.values())
  with tempfile.TemporaryDirectory() as temporary:
    tar, videos = _convert(chosen, pathlib.Path(temporary))
    rates = measure(
      {
        "bare JPEG decoding": bare(chosen),
        "speedflow records": from_records(subset, 1),
        "speedflow, 4 a shot": from_records(subset, 4),
        "webdataset tar": from_tar(tar),
        "decord H.264": from_videos(videos),
      },
      rounds,
      seconds,
    )
  share = {
    unit: rates["speedflow records"][unit] / rates["bare JPEG decoding"][unit]
    for unit in ("frames_per_s", "frames_per_cpu_s")
  }
  sizes = [len(jpeg) for shot in chosen for jpeg in shot.frames]
  return {
    "rates": rates,
    "share_of_bare": {unit: round(value, 3) for unit, value in share.items()},
    "target": TARGET,
    "shots": len(chosen),
    "mean_frames_per_shot": round(len(sizes) / len(chosen), 1),
    "mean_jpeg_bytes": round(statistics.mean(sizes)),
    "records_sha256": source.fingerprint(),
    "rounds": rounds,
    "seconds_per_round": seconds,
    "processor": platform.processor() or platform.machine(),
    "load_average": os.getloadavg()[0],
  }


def _convert(
  shots: Sequence[schema.ShotRecord], folder: pathlib.Path
) -> tuple[pathlib.Path, list[pathlib.Path]]:
  """Writes the same shots in the other loaders' formats."""
  tar, videos = folder / "shots.tar", []
  with webdataset.TarWriter(str(tar)) as archive:
    for number, shot in enumerate(shots):
      frames = {
        f"{i:04}.jpg": bytes(jpeg) for i, jpeg in enumerate(shot.frames)
      }
      archive.write({"__key__": f"{number:06}", **frames})
      if number >= _VIDEOS:
        continue
      # yuv420p holds even sizes only.
      width, height = shot.width // 2 * 2, shot.height // 2 * 2
      videos.append(folder / f"{number}.mp4")
      with media.VideoWriter(
        videos[-1], shot.fps, (width, height), crf=18
      ) as video:
        for index in range(shot.num_frames):
          image = shot.image(index)[:height, :width]
          video.write(np.ascontiguousarray(image))
  return tar, videos


def table(result: dict) -> str:
  """Lays the rates out as text."""
  bare_rate = result["rates"]["bare JPEG decoding"]
  lines = [
    f"{'clips of 16 frames':22}{'frames/s':>10}{'per CPU s':>11}{'share':>8}"
  ]
  for name, rate in result["rates"].items():
    share = rate["frames_per_cpu_s"] / bare_rate["frames_per_cpu_s"]
    lines.append(
      f"{name:22}{rate['frames_per_s']:10,.0f}{rate['frames_per_cpu_s']:11,.0f}"
      f"{share:8.0%}"
    )
  return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
  """Measures, prints a table and writes JSON."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--records", required=True, help="folder of records")
  parser.add_argument("--out", required=True, help="JSON file to write")
  parser.add_argument("--shots", type=int, default=256)
  parser.add_argument("--rounds", type=int, default=5)
  parser.add_argument("--seconds", type=float, default=1.0)
  options = parser.parse_args(arguments)
  result = run(options.records, options.shots, options.rounds, options.seconds)
  print(table(result))
  with atomic.atomic_path(options.out) as temporary:
    temporary.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
  main()
