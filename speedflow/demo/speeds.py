"""How fast clips play, as they are, sped up, and as a ramp: estimates."""

import pathlib
from collections.abc import Callable, Sequence
from typing import Protocol

from rich import box, table, text

from speedflow import media
from speedflow.demo import clips
from speedflow.estimate import answer as estimate_lib
from speedflow.estimate import plot, report
from speedflow.timewarp import resample


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


def show(
  source: clips.Source,
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
  images, fps = clips.read_frames(source.path)
  plans = clips.variants(len(images))
  base = source.speed
  exhibits: list[plot.Exhibit] = []
  for number, (title, plan) in enumerate(plans.items()):

    def advance(done: float, number: int = number, title: str = title) -> None:
      on_progress(f"{name}, {title}", (number + done) / len(plans))

    advance(0.0)
    path = folder / f"{name}-{number}.mp4"
    height, width = images[0].shape[:2]
    with media.VideoWriter(path, fps, (width, height)) as writer:
      for image in resample.render_clip(images, plan):
        writer.write(image)
    answer = estimator.estimate(path, on_progress=advance)
    expected = None
    if base is not None:
      expected = clips.speed_over_time(plan, fps, base)
    elif answer.status == "ok":
      # From here on, the first answer is what the others are held against.
      base = answer.speed
    exhibits.append(plot.Exhibit(title, answer, path, expected))
  note = f"{len(images)} frames at {float(fps):.5g} fps."
  if source.speed is None:
    note += (
      " Its true speed is not known: the dashed lines are the estimate for the"
      " file as it is, times the change."
    )
  else:
    note += f" {source.kind}"
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
