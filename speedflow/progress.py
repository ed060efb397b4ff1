"""How far a command has come, on a terminal, and what stops it."""

import contextlib
import pathlib
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator

from speedflow import wording


@contextlib.contextmanager
def interruption() -> Iterator[Callable[[], bool]]:
  """Remembers Ctrl-C: libraries may swallow it inside their callbacks."""
  pressed = threading.Event()

  def note(signum: int, frame: types.FrameType | None) -> None:
    del signum, frame
    pressed.set()
    raise KeyboardInterrupt

  # Only the main thread may listen, and a notebook keeps its own handler.
  if threading.current_thread() is not threading.main_thread():
    yield pressed.is_set
    return
  before = signal.signal(signal.SIGINT, note)
  try:
    yield pressed.is_set
  finally:
    signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def progress_bar(
  total: int, shown: bool = True
) -> Iterator[Callable[[str], Callable[[float], None]]]:
  """A bar on standard error, when that is a terminal.

  Args:
    total: how many files there will be.
    shown: whether there is a bar at all.

  Yields:
    A function that begins the next file and returns what takes the fraction
    of it that is done.
  """
  if not (shown and sys.stderr.isatty()):
    yield lambda file: lambda done: None
    return
  from rich import console, progress

  with progress.Progress(
    progress.TextColumn("{task.description}", markup=False),
    progress.BarColumn(),
    progress.TaskProgressColumn(),
    progress.TimeRemainingColumn(),
    console=console.Console(stderr=True),
    transient=True,
    # Results go where they always go.
    redirect_stdout=False,
  ) as bar:
    task = bar.add_task("", total=total)
    begun = 0

    def begin(file: str) -> Callable[[float], None]:
      nonlocal begun
      before, begun = begun, begun + 1
      name = wording.shown(pathlib.Path(file).name)
      bar.update(task, description=name, completed=before)
      return lambda done: bar.update(task, completed=before + done)

    yield begin
