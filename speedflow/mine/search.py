"""From what is wanted to a mined folder, and what may be claimed of it."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import speedflow
from speedflow.data import beam_runner
from speedflow.detect.weights import CHANGE
from speedflow.estimate.weights import SPEED
from speedflow.mine import examine, pipeline, sources, threshold
from speedflow.mine.options import Options
from speedflow.output import claims
from speedflow.weights import kind

# Shipped weights whose calibration stands in for that of others.
_CALIBRATED = "tiny"
# Weights of the change detector.
_CHANGES = "tiny"


def search(
  given: Sequence[str],
  out: str | os.PathLike[str],
  options: Options,
) -> dict[str, Any]:
  """Finds slow motion, and writes all outputs; see `manifest`.

  Killed at any time and run again, it goes on and gives the same result.

  Args:
    given: files, folders, patterns, .txt lists of them, or URLs.
    out: folder for clips, records and reports.
    options: what is looked for, and how.

  Returns:
    What `mining.json` holds.

  Raises:
    SpeedflowError: bad input, or results that cannot be written.
  """
  # Its absence is explained before anything needs it.
  beam_runner.import_beam()
  weights_sha256 = SPEED.digest(options.weights)
  known = threshold.load(
    options.calibration
    or (_CALIBRATED if kind.is_path(options.weights) else options.weights)
  )
  limit = known.threshold(options.fpr)
  fits = known.fits(weights_sha256, options.min_seconds, options.max_speed)
  settings = examine.Settings(
    max_speed=options.max_speed,
    evidence=limit.evidence,
    min_seconds=options.min_seconds,
    doubt=known.doubt,
    sparse=not options.dense,
    max_minutes=options.max_minutes,
    ignore_metadata=options.ignore_metadata,
  )
  job = pipeline.Job(
    pathlib.Path(out),
    settings,
    options.weights,
    weights_sha256,
    _CHANGES if options.changes else "",
    CHANGE.digest(_CHANGES) if options.changes else "",
  )
  # Workers would find out late, file by file, that these are no weights.
  pipeline.networks(job)
  claims.compare([out], given)
  return pipeline.mine(
    sources.expand(given),
    job,
    {
      "statement": _statement(known, limit, fits),
      "settings": {**dataclasses.asdict(settings), "fpr": options.fpr},
      "calibration": dataclasses.asdict(limit) | {"fits": fits},
      "models": {
        "speedflow": speedflow.__version__,
        "estimator": options.weights,
        "estimator_sha256": weights_sha256,
        "changes": job.changes or None,
        "changes_sha256": job.changes_sha256 or None,
      },
    },
    runner=options.runner,
    workers=options.workers,
    beam_options=options.beam_options,
    overwrite=options.overwrite,
  )


def _statement(
  known: threshold.Calibration, limit: threshold.Threshold, fits: bool
) -> str:
  """What may be claimed of false positives, in words."""
  if not fits:
    return (
      "No false-positive rate can be stated: the calibration is of other "
      f"weights, or of pieces of {known.min_seconds:g} s and more at "
      f"{known.max_speed:g}x and slower; run "
      "`python -m experiments.slowmo_mining.calibrate`."
    )
  said = limit.in_words(known.footage)
  if limit.confidence < threshold.CONFIDENCE:
    said += (
      f" So many scenes vouch for {known.smallest_fpr():.3g} at best "
      f"with {100 * threshold.CONFIDENCE:g} % confidence."
    )
  return said
