#!/usr/bin/env bash
# Package: apache-beam 2.77.0, its DirectRunner.
# One would expect: an error in a step is raised to the caller, and what is told
# besides goes through logging, where it can be silenced.
# Really: with direct_running_mode=multi_threading the traceback is printed to
# sys.stderr, with all logging disabled, and the error that is raised is a
# RuntimeError with that traceback as its text. in_memory prints nothing and
# raises the error's own class.
# Why it matters: a tool cannot tell its user one clear line by settings of
# logging, and `except ValueError` works with one worker only.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq apache-beam==2.77.0
cat >look.py <<'EOF'
import contextlib
import io
import logging
import sys

logging.disable(logging.CRITICAL)

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions


def broken(element):
  raise ValueError(f"element {element} is broken")


def failed(mode, workers):
  options = PipelineOptions([
    f"--direct_running_mode={mode}",
    f"--direct_num_workers={workers}",
  ])
  stderr = io.StringIO()
  with contextlib.redirect_stderr(stderr):
    try:
      with beam.Pipeline(options=options) as pipeline:
        pipeline | beam.Create([1]) | beam.Map(broken)
    except Exception as error:
      raised = type(error).__name__
  return raised, "Traceback (most recent call last)" in stderr.getvalue()


if __name__ == "__main__":
  one, two = failed("in_memory", 1), failed("multi_threading", 2)
  print(f"seen: in_memory: {one[0]}, traceback on stderr {one[1]}")
  print(f"seen: multi_threading: {two[0]}, traceback on stderr {two[1]}")
  if one != ("ValueError", False) or two != ("RuntimeError", True):
    sys.exit("changed: errors of workers are told otherwise now")
EOF
venv/bin/python look.py
