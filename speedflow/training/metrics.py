"""What a run reports: files of metrics, a progress line, its pace."""

import contextlib
import json
import math
import pathlib
import time
from collections.abc import Iterator, Mapping

import rich.console
import rich.progress
import tensorboardX

from speedflow import errors
from speedflow.output import atomic, claims


class MetricWriter:
  """Writes scalars to WORKDIR/metrics.jsonl and to TensorBoard's files.

  Each line is {"step": 50, "time": 1.7e9, "train/loss": 0.3, ...}, with the
  time in seconds since 1970.

  Args:
    workdir: the folder of the run.
    step: where the run goes on; lines of later steps are dropped, as they
      belong to work that was lost and will be done again.
  """

  def __init__(self, workdir: pathlib.Path, step: int):
    path = workdir / "metrics.jsonl"
    if path.exists():
      lines = path.read_text().splitlines(keepends=True)
      with atomic.atomic_path(path) as temporary:
        temporary.write_text("".join(_until(lines, step)))
    claims.adopt(path)
    self._file = path.open("a")
    self._board = tensorboardX.SummaryWriter(
      str(workdir / "tensorboard"), purge_step=step + 1
    )

  def write(self, step: int, scalars: Mapping[str, float]) -> None:
    """Writes one line, at once."""
    line = {"step": step, "time": round(time.time(), 3), **for_json(scalars)}
    self._file.write(json.dumps(line) + "\n")
    self._file.flush()
    for name, value in scalars.items():
      self._board.add_scalar(name, value, step)

  def close(self) -> None:
    """Closes both files."""
    self._file.close()
    self._board.close()


def for_json(scalars: Mapping[str, float]) -> dict[str, float | None]:
  """The scalars with None for what JSON has no number for."""
  return {
    name: value if math.isfinite(value) else None
    for name, value in scalars.items()
  }


def _until(lines: list[str], step: int) -> Iterator[str]:
  for line in lines:
    # A killed run may leave half a line, always the last.
    if line.endswith("\n") and json.loads(line)["step"] <= step:
      yield line


class Clock:
  """Measures the pace of training, leaving evaluation out."""

  def __init__(self) -> None:
    self._started = time.perf_counter()
    self._paused = 0.0
    self._waiting = 0.0

  @contextlib.contextmanager
  def paused(self) -> Iterator[None]:
    """What runs inside counts as no time at all."""
    start = time.perf_counter()
    yield
    self._paused += time.perf_counter() - start

  @contextlib.contextmanager
  def waiting(self) -> Iterator[None]:
    """What runs inside counts as waiting for data."""
    start = time.perf_counter()
    yield
    self._waiting += time.perf_counter() - start

  def lap(self, steps: int) -> dict[str, float]:
    """Ends a lap of so many steps.

    Returns:
      steps_per_second, and data_wait: the share of time, 0..1, in which
      nothing was done but to wait for the next batch.
    """
    seconds = time.perf_counter() - self._started - self._paused
    seconds = max(seconds, 1e-9)
    pace = {
      "steps_per_second": steps / seconds,
      "data_wait": self._waiting / seconds,
    }
    self._started, self._paused, self._waiting = time.perf_counter(), 0.0, 0.0
    return pace


class Progress:
  """A progress line on a terminal; plain lines anywhere else.

  Args:
    total: steps in the run.
    step: steps done before.
    shown: whether to print anything; one process of a run does.
  """

  def __init__(self, total: int, step: int, *, shown: bool):
    self._console = rich.console.Console(
      stderr=True, quiet=not shown, highlight=False
    )
    self._total = total
    self._bar = rich.progress.Progress(
      rich.progress.TextColumn("step"),
      rich.progress.MofNCompleteColumn(),
      rich.progress.BarColumn(bar_width=24),
      rich.progress.TextColumn("{task.description}"),
      console=self._console,
      disable=not (shown and self._console.is_terminal),
    )
    self._task = self._bar.add_task("", total=total, completed=step)

  def __enter__(self) -> "Progress":
    self._bar.start()
    return self

  def __exit__(self, *_: object) -> None:
    self._bar.stop()

  def advance(self, step: int) -> None:
    """Moves the line on to this step."""
    self._bar.update(self._task, completed=step)

  def report(self, step: int, loss: float, pace: Mapping[str, float]) -> None:
    """Shows the loss, the pace and the time that is left."""
    left = int((self._total - step) / pace["steps_per_second"])
    text = (
      f"loss {loss:.4g}, {pace['steps_per_second']:.3g} steps/s, "
      f"{pace['data_wait']:.0%} waiting for data, "
      f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02} left"
    )
    if self._console.is_terminal:
      self._bar.update(self._task, completed=step, description=text)
    else:
      self.log(f"step {step}/{self._total}: {text}")

  def log(self, message: str) -> None:
    """Prints a line above the progress line."""
    self._console.print(message, markup=False, soft_wrap=True)


def require_finite(
  step: int, metrics: Mapping[str, float], workdir: pathlib.Path
) -> None:
  """Stops a run that has diverged.

  Raises:
    SpeedflowError: some metric is not finite.
  """
  bad = [name for name, value in metrics.items() if not math.isfinite(value)]
  if bad:
    raise errors.SpeedflowError(
      f"{workdir}: {', '.join(bad)} not finite at step {step}; lower "
      "config.optimizer.learning_rate or config.optimizer.clip_norm, raise "
      "config.optimizer.warmup_steps, or look for bad records with "
      "`speedflow data inspect`; the last checkpoint is still sound"
    )
