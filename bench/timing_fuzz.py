r"""Files of any container, codec, rate, offset and pattern: is time kept?

Every file has a flash in its picture and a beep in its sound at each second.
It is read, made into one of twice as many frames, and into training records:
flash and beep must meet within one frame, and the number of frames and the
length be as they were made. New pictures are blended here, not synthesised:
which there are, and when, is the same. Then files are damaged at random: an
answer, or one line, and nothing partial.

  python -m bench.timing_fuzz --out build/bench/timing_fuzz

writes a JSON file with seed, counts and every failure. It takes an hour.
"""

import argparse
import contextlib
import dataclasses
import functools
import io
import itertools
import json
import math
import pathlib
import random
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any
from unittest import mock

import cv2
import numpy as np

from bench import timing_files
from speedflow import api, cli, media
from speedflow.data import catalogue, shots
from speedflow.output import atomic
from speedflow.superres import interpolator, production
from speedflow.training import run_record
from speedflow.weights import kind

_RATES = (
  *(Fraction(rate) for rate in (12, 15, 24, 25, 30, 50, 60, 120)),
  *(Fraction(1000 * rate, 1001) for rate in (24, 30, 60)),
)
_MS = Fraction(1, 1000)
_AAC = ("aac", "fltp")
_PCM = ("pcm_s16le", "s16")


@dataclasses.dataclass(frozen=True)
class _Format:
  """A container, and what it is given.

  Attributes:
    videos: encoders and their pixel formats.
    sounds: encoders and their sample formats.
    time_bases: seconds per tick; None: one that divides the interval.
    offsets: whether tracks may begin late.
    uneven: whether intervals may differ.
    held: whether the last picture may be held.
    layouts: of channels.
  """

  videos: tuple[tuple[str, str], ...]
  sounds: tuple[tuple[str, str], ...]
  time_bases: tuple[Fraction | None, ...] = (Fraction(1, 90_000),)
  offsets: bool = True
  uneven: bool = True
  held: bool = False
  layouts: tuple[str, ...] = ("mono", "stereo", "5.1")


_X264 = ("libx264", "yuv420p")
_FORMATS = {
  ".mp4": _Format(
    (_X264, ("libx265", "yuv420p"), ("mpeg4", "yuv420p")),
    (_AAC,),
    (None, Fraction(1, 90_000), Fraction(1, 1000), Fraction(1, 600)),
    held=True,
    layouts=("mono", "stereo", "quad", "5.1"),
  ),
  ".mov": _Format(
    (_X264, ("mjpeg", "yuvj420p"), ("prores_ks", "yuv422p10le")),
    (_AAC, _PCM),
    (None, Fraction(1, 90_000), Fraction(1, 600)),
    held=True,
  ),
  ".mkv": _Format(
    (_X264, ("libvpx-vp9", "yuv420p"), ("ffv1", "yuv420p")),
    (_AAC, ("flac", "s16"), ("libopus", "flt")),
    (_MS,),
    held=True,
  ),
  ".webm": _Format(
    (("libvpx", "yuv420p"), ("libvpx-vp9", "yuv420p")),
    (("libopus", "flt"),),
    (_MS,),
    layouts=("mono", "stereo"),
  ),
  ".avi": _Format(
    (("mpeg4", "yuv420p"), ("mjpeg", "yuvj420p")),
    (_PCM,),
    (None,),
    offsets=False,
    uneven=False,
    layouts=("mono", "stereo"),
  ),
  ".ts": _Format(
    (_X264, ("mpeg2video", "yuv420p")),
    (_AAC, ("mp2", "s16")),
    layouts=("mono", "stereo"),
  ),
  ".flv": _Format((_X264,), (_AAC,), (_MS,), layouts=("mono", "stereo")),
}


@dataclasses.dataclass(frozen=True)
class Case:
  """A file to be made.

  Attributes:
    suffix: of its name.
    video: its pictures.
    sound: its sound.
    pattern: of the intervals.
  """

  suffix: str
  video: timing_files.Video
  sound: timing_files.Sound
  pattern: str

  @property
  def interval(self) -> Fraction:
    """The longest time from picture to picture, seconds."""
    times = self.video.times
    return max(b - a for a, b in itertools.pairwise(times))

  def __str__(self) -> str:
    video, sound = self.video, self.sound
    return (
      f"{self.suffix} {video.codec} {self.pattern} {len(video.times)} frames,"
      f" header {video.rate}, tick {video.time_base}, from {video.times[0]} s;"
      f" {sound.codec} {sound.layout} {sound.rate} Hz from {sound.start_s} s"
    )


class _Blender:
  """Stands for `FrameInterpolator`: a network makes pictures, not times."""

  def __init__(self, unused_network: object):
    pass

  def between(
    self,
    first: np.ndarray,
    second: np.ndarray,
    times: Sequence[float],
    *unused: object,
  ) -> Iterator[interpolator.Picture]:
    """Blends two pictures, see `FrameInterpolator.between`."""
    for time in times:
      image = cv2.addWeighted(first, 1 - time, second, time, 0)
      half = (image.shape[0] + 1) // 2, (image.shape[1] + 1) // 2
      yield interpolator.Picture(image, np.zeros(half, np.float32))


def draw(rng: random.Random) -> Case:
  """Draws a file."""
  suffix = rng.choice(sorted(_FORMATS))
  kind = _FORMATS[suffix]
  codec, pixel_format = rng.choice(kind.videos)
  fps = rng.choice(_RATES)
  if codec in ("mpeg2video", "mpeg4") and fps not in (24, 25, 30, 50, 60):
    fps = Fraction(25)
  seconds = rng.choice((2, 3))
  start = Fraction(rng.choice((0, 0, 0, 500, 1234)), 1000)
  start = start if kind.offsets else Fraction(0)
  patterns = ["even"] * 3
  patterns += ["dropped", "halved", "paused"] * kind.uneven
  pattern = rng.choice(patterns + ["held"] * kind.held)
  times = _times(rng, pattern, fps, seconds, start)
  time_base = rng.choice(kind.time_bases) or 1 / fps
  if pattern != "even" and 1 / time_base < 600:
    time_base = Fraction(1, 90_000)
  if 1 / time_base < 600:
    start = round(start / time_base) * time_base
    times = timing_files.even(fps, len(times), start)
  if codec in ("mpeg4", "mpeg2video"):
    # Ticks of 16 bits, and no other times than those of a rate.
    time_base = 1 / fps
    start = round(start * fps) / fps
    times = timing_files.even(fps, len(times), start)
    pattern = "even"
  options = {"bf": "0"} if pattern != "even" else {}
  if codec.startswith("libvpx"):
    options |= {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
  if codec == "libx265":
    options["x265-params"] = "log-level=none"
  video = timing_files.Video(
    times,
    time_base,
    codec,
    pixel_format,
    rate=fps,
    options=options,
    last_s=Fraction(2) if pattern == "held" else None,
  )
  sound_codec, sample_format = rng.choice(kind.sounds)
  rate = 48_000 if sound_codec == "libopus" else rng.choice((48_000, 44_100))
  late = Fraction(rng.choice((0, 0, 300)) if kind.offsets else 0, 1000)
  length = times[-1] - late + Fraction(1, 2)
  sound = timing_files.Sound(
    length, late, sound_codec, sample_format, rng.choice(kind.layouts), rate
  )
  return Case(suffix, video, sound, pattern)


def _times(
  rng: random.Random,
  pattern: str,
  fps: Fraction,
  seconds: int,
  start: Fraction,
) -> list[Fraction]:
  count = round(seconds * fps)
  times = timing_files.even(fps, count, start)
  middle = count // 2
  if pattern == "dropped":
    lost = set(rng.sample(range(1, count - 1), 2))
    return [time for number, time in enumerate(times) if number not in lost]
  if pattern == "halved":
    return times[:middle] + times[middle::2]
  if pattern == "paused":
    return times[:middle] + [time + 1 for time in times[middle:]]
  return times


def check(case: Case, folder: pathlib.Path) -> Iterator[str]:
  """Yields what is wrong with the time of a file, and of what it becomes."""
  path = folder / f"made{case.suffix}"
  # Where seconds of the clock fall within a pause, nobody sees a flash; a beep
  # before the first picture is cut off with the sound there.
  flashes = [
    Fraction(second)
    for second in range(
      max(1, math.ceil(case.video.times[0])), math.ceil(case.video.times[-1])
    )
    if any(0 <= time - second < case.interval for time in case.video.times)
  ]
  timing_files.write(path, case.video, case.sound, flash_s=flashes)
  count = len(case.video.times)
  with media.VideoReader(path) as reader:
    frames = list(reader)
  info = reader.info
  if reader.damage:
    yield f"read: {reader.damage}"
  yield from _differences("read", case, frames, info, count)
  yield from _sync("read", case, frames, media.read_audio(path))
  out = folder / f"more{random.Random(str(case)).choice(['.mp4', '.mkv'])}"
  api.superres(path, out, exposure=0.0, overwrite=True)
  with media.VideoReader(out) as reader:
    more = list(reader)
  yield from _differences("superres", case, more, reader.info, 2 * count)
  yield from _sync("superres", case, more, media.read_audio(out))
  clip = catalogue.Clip(
    name="made",
    path=str(path),
    speed=1.0,
    label="known",
    category="realtime",
    source="made",
    split="train",
  )
  yield from _records(case, clip, count)


def _differences(
  step: str,
  case: Case,
  frames: Sequence[media.Frame],
  info: media.VideoInfo,
  count: int,
) -> Iterator[str]:
  """Whether the number of frames, the rate and the length are as made."""
  if len(frames) != count:
    yield f"{step}: {len(frames)} frames instead of {count}"
    return
  if len(info.timeline.times) != count:
    yield f"{step}: {len(info.timeline.times)} times of {count} frames"
  times = case.video.times
  made = times[-1] - times[0]
  parts = Fraction(count - 1, len(times) - 1)
  # Of twice as many frames, the last is half an interval later.
  if count > len(times):
    made += (times[-1] - times[0]) / (len(times) - 1) / 2
    parts = Fraction(count) / len(times)
  shown = frames[-1].time - frames[0].time
  if abs(shown - made) > max(3 * _MS, case.video.time_base * 2):
    yield f"{step}: {float(shown):.4f} s instead of {float(made):.4f} s"
  fps = (len(times) - 1) / (times[-1] - times[0]) * round(parts)
  if abs(info.fps / fps - 1) > Fraction(1, 50):
    yield f"{step}: {float(info.fps):.3f} fps instead of {float(fps):.3f}"
  if case.pattern in ("even", "held") and info.variable_frame_rate:
    yield f"{step}: the even rate counts as variable"


def _sync(
  step: str,
  case: Case,
  frames: Sequence[media.Frame],
  audio: media.Audio | None,
) -> Iterator[str]:
  flashes = timing_files.flash_times(frames)
  beeps = timing_files.beep_times(audio)
  if not flashes or not beeps:
    yield f"{step}: {len(flashes)} flashes and {len(beeps)} beeps"
    return
  for flash in flashes:
    off = min(abs(beep - flash) for beep in beeps)
    # MP2, AAC in FLV and others begin with a run-up that nobody declares.
    if off > float(case.interval) + 0.05:
      yield f"{step}: a flash at {flash:.3f} s is {off:.3f} s off its beep"


def _records(case: Case, clip: catalogue.Clip, count: int) -> Iterator[str]:
  frames: list[media.Frame] = []
  beeps: list[float] = []
  for record in shots.ClipRecords(clip, find_cuts=False):
    start = Fraction(int(record.ticks[0])) * record.time_base
    for number, ticks in enumerate(record.ticks.tolist()):
      image = record.image(number)
      frames.append(media.Frame(image, ticks * record.time_base))
    sound = record.audio()
    if sound is not None:
      start_s = float(start) + record.audio_start_s
      beeps += timing_files.beep_times(
        dataclasses.replace(sound, start_s=start_s)
      )
  if len(frames) != count:
    yield f"records: {len(frames)} frames instead of {count}"
    return
  for flash in timing_files.flash_times(frames):
    if beeps and min(abs(beep - flash) for beep in beeps) > (
      float(case.interval) + 0.05
    ):
      yield f"records: a flash at {flash:.3f} s has no beep within a frame"


def damage(data: bytes, rng: random.Random) -> bytes:
  """Cuts a file short, overwrites parts of it, or takes parts out."""
  changed = bytearray(data)
  kind = rng.choice(("cut", "overwrite", "remove", "swap"))
  if kind == "cut":
    return bytes(changed[: rng.randrange(len(changed))])
  for _ in range(rng.randint(1, 4)):
    at = rng.randrange(len(changed))
    size = min(rng.randint(1, 2000), len(changed) - at)
    if kind == "overwrite":
      changed[at : at + size] = rng.randbytes(size)
    elif kind == "remove":
      del changed[at : at + size]
      if not changed:
        break
    else:
      changed[at : at + size] = changed[at : at + size][::-1]
  return bytes(changed)


def survive(path: pathlib.Path, folder: pathlib.Path) -> str:
  """Asks the commands about a damaged file; says what is wrong, or ""."""
  out = folder / "survived.mp4"
  for arguments in (
    ["estimate", str(path), "--json"],
    ["superres", str(path), str(out), "--exposure", "0", "--overwrite"],
  ):
    said, lines = io.StringIO(), io.StringIO()
    try:
      with contextlib.redirect_stdout(said), contextlib.redirect_stderr(lines):
        code = cli.main(arguments)
    except BaseException:
      return f"{arguments[0]}: {traceback.format_exc()[-600:]}"
    if code not in (0, 2):
      return f"{arguments[0]}: exit code {code}"
    errors = [line for line in lines.getvalue().splitlines() if line.strip()]
    ours = [line for line in errors if line.startswith("speedflow:")]
    if code == 2 and len(ours) != 1:
      return f"{arguments[0]}: {len(ours)} lines: {errors[:3]}"
    if arguments[0] == "superres" and code and out.exists():
      return "superres: a partial output"
    for made in (out, out.with_name("survived.mp4.json")):
      made.unlink(missing_ok=True)
  return ""


def _until_stopped(numbers: Iterable[int], done: list[int]) -> Iterator[int]:
  """Yields numbers, and notes those that are done; SIGTERM ends it."""
  stopped = threading.Event()
  before = signal.signal(signal.SIGTERM, lambda *unused: stopped.set())
  try:
    for number in numbers:
      if stopped.is_set():
        return
      yield number
      done.append(number)
  finally:
    signal.signal(signal.SIGTERM, before)


def main(arguments: Sequence[str] | None = None) -> int:
  """Makes, checks and damages files; writes the counts."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--out", required=True, type=pathlib.Path)
  parser.add_argument("--files", type=int, default=2000)
  parser.add_argument("--damaged", type=int, default=500)
  parser.add_argument("--seed", type=int, default=0)
  parser.add_argument("--only", type=int, help="the number of one file")
  options = parser.parse_args(arguments)
  cv2.setNumThreads(1)
  once = functools.cache(kind.Kind.load)
  failures: dict[str, list[str]] = {}
  counts: dict[str, list[int]] = {"files": [], "damaged": []}
  numbers = range(options.files)
  if options.only is not None:
    numbers = range(options.only, options.only + 1)
  with (
    tempfile.TemporaryDirectory() as name,
    mock.patch.object(production, "FrameInterpolator", _Blender),
    mock.patch.object(kind.Kind, "load", once),
  ):
    folder = pathlib.Path(name)
    for number in _until_stopped(numbers, counts["files"]):
      case = draw(random.Random(f"{options.seed} {number}"))
      try:
        wrong = list(check(case, folder))
      except Exception:
        wrong = [traceback.format_exc()[-800:]]
      if wrong:
        failures[f"{number}: {case}"] = wrong
        print(f"{number}: {case}", *wrong, sep="\n  ", flush=True)
    unsurvived: dict[str, str] = {}
    damaged = range(options.damaged if options.only is None else 0)
    for number in _until_stopped(damaged, counts["damaged"]):
      rng = random.Random(f"{options.seed} damaged {number}")
      case = draw(rng)
      path = folder / f"damaged{case.suffix}"
      timing_files.write(path, case.video, case.sound)
      path.write_bytes(damage(path.read_bytes(), rng))
      if reason := survive(path, folder):
        unsurvived[f"{number}: {case}"] = reason
        print(f"damaged {number}: {case}\n  {reason}", flush=True)
  result: dict[str, Any] = {
    "seed": options.seed,
    "files": len(counts["files"]),
    "failures": failures,
    "damaged": len(counts["damaged"]),
    "damaged_failures": unsurvived,
    **run_record.circumstances(),
  }
  options.out.mkdir(parents=True, exist_ok=True)
  with atomic.atomic_path(options.out / "timing_fuzz.json") as temporary:
    temporary.write_text(json.dumps(result, indent=2) + "\n")
  print(
    f"{len(failures)} of {len(counts['files'])} files fail", len(unsurvived)
  )
  return 1 if failures or unsurvived else 0


if __name__ == "__main__":
  sys.exit(main())
