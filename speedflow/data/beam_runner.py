"""Apache Beam, started so that it suits one machine and any other runner."""

import argparse
import logging
from collections.abc import Sequence
from typing import Any

from speedflow.errors import SpeedflowError


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Adds the options that choose a runner, for `new_pipeline`."""
  parser.add_argument(
    "--runner", default="DirectRunner", help="of Beam (default: %(default)s)"
  )
  parser.add_argument(
    "--beam-option",
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
      "with; run `pip install 'speedflow[data]'`"
    ) from error
  finally:
    logging.disable(disabled)
  return beam, pipeline_options


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
