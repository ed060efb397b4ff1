"""Apache Beam, started so that it suits one machine and any other runner."""

import argparse
import logging
import re
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from speedflow.errors import SpeedflowError, unwritable


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Adds the options that choose a runner, for `new_pipeline`."""
  parser.add_argument(
    "--runner", default="DirectRunner", help="of Beam (default: %(default)s)"
  )
  parser.add_argument(
    "--beam-option",
    dest="beam_options",
    action="append",
    default=[],
    metavar="--NAME=VALUE",
    help="for the runner; may be repeated",
  )


def import_beam() -> tuple[Any, Any]:
  """Returns the modules apache_beam and its pipeline_options.

  Raises:
    SpeedflowError: Beam is not installed.
  """
  # Beam warns of Google Cloud's libraries, which are not wanted here.
  disabled = logging.root.manager.disable
  logging.disable(logging.WARNING)
  try:
    import apache_beam as beam
    from apache_beam.options import pipeline_options
  except ImportError as error:
    raise SpeedflowError(
      "apache-beam is not installed, which collections are worked through "
      "with; run `pip install '.[data]'` in the folder of speedflow"
    ) from error
  finally:
    logging.disable(disabled)
  return beam, pipeline_options


def run(pipeline: Any) -> Any:
  """Runs a pipeline to its end.

  Returns:
    Its result.

  Raises:
    SpeedflowError: a worker raised one, or could not write a file. Runners hand
      on no more of it than the text.
  """
  # Beam prints and logs the traceback of an error, which it raises as well.
  log = logging.getLogger("apache_beam.runners")
  level, stream = log.level, sys.stderr
  log.setLevel(logging.CRITICAL)
  if not isinstance(stream, _NoTracebacks):
    sys.stderr = _NoTracebacks(stream)
  try:
    result = pipeline.run()
    result.wait_until_finish()
  except Exception as error:  # Each runner wraps errors in its own way.
    # Other workers may fail yet: what hides their tracebacks stays.
    raise _from_worker(error) from error
  log.setLevel(level)
  sys.stderr = stream
  return result


class _NoTracebacks:
  """A stream without tracebacks, each of which is one writing."""

  def __init__(self, stream: Any):
    self._stream = stream
    self._left_out = False

  def write(self, text: str) -> int:
    # `print` writes the end of a line by itself.
    ends, self._left_out = self._left_out and text == "\n", False
    if ends:
      return len(text)
    # A chain of errors may begin with one that was never raised.
    if "Traceback (most recent" in text and "apache_beam" in text:
      self._left_out = True
      return len(text)
    return self._stream.write(text)

  def __getattr__(self, name: str) -> Any:
    return getattr(self._stream, name)


def _without_step(text: str) -> str:
  """Runners add the name of the step that failed."""
  return re.sub(r" \[while running .*", "", text)


def _from_worker(error: Exception) -> Exception:
  """What a worker's error was, as far as its text tells."""
  if isinstance(error, SpeedflowError):
    return SpeedflowError(_without_step(str(error)))
  text = "".join(traceback.format_exception(error))
  ours = re.findall(r"speedflow\.errors\.SpeedflowError: (.+)", text)
  if ours:
    return SpeedflowError(_without_step(ours[0]))
  if isinstance(error, OSError):
    return unwritable(error.filename or "output", error)
  return error


def new_pipeline(
  runner: Any = "DirectRunner", workers: int = 1, options: Sequence[str] = ()
) -> Any:
  """Returns an empty beam.Pipeline.

  Args:
    runner: a Beam runner, or its name.
    workers: threads, for the DirectRunner.
    options: command-line options for the runner.

  Raises:
    SpeedflowError: Beam is not installed.
  """
  beam, pipeline_options = import_beam()
  direct = []
  if runner == "DirectRunner":
    # Threads suffice, for codecs let go of the interpreter; they start at once
    # and do not fill the terminal with the log of each process.
    mode = "multi_threading" if workers > 1 else "in_memory"
    direct = [
      f"--direct_num_workers={workers}",
      f"--direct_running_mode={mode}",
    ]
  return beam.Pipeline(
    runner, options=pipeline_options.PipelineOptions([*direct, *options])
  )
