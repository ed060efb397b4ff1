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
from speedflow.output import claims
from speedflow.weights import kind

# Shipped weights whose calibration stands in for that of others.
_CALIBRATED = "tiny"
# Weights of the change detector.
_CHANGES = "tiny"


def search(
  given: Sequence[str],
  out: str | os.PathLike[str],
  *,
  max_speed: float = 0.5,
  fpr: float = 0.01,
  min_seconds: float = 2.0,
  max_minutes: float = 120.0,
  dense: bool = False,
  changes: bool = False,
  ignore_metadata: bool = False,
  weights: str = "tiny",
  calibration: str | None = None,
  workers: int = 1,
  runner: Any = "DirectRunner",
  beam_options: Sequence[str] = (),
  overwrite: bool = False,
) -> dict[str, Any]:
  """Finds slow motion, and writes all outputs; see `manifest`.

  Killed at any time and run again, it goes on and gives the same result.

  Args:
    given: files, folders, patterns, .txt lists of them, or URLs.
    out: folder for clips, records and reports.
    max_speed: fastest playback speed factor that is wanted.
    fpr: false-positive rate to keep on real-time scenes, 0..1.
    min_seconds: shortest clip, seconds of playback.
    max_minutes: of work on one file, which is then left out.
    dense: whether to look at every frame of every file.
    changes: whether to cut where the change detector finds changes, too.
    ignore_metadata: whether not to ask files what they declare; else slow
      motion that its camera declares needs no evidence of the picture beyond
      its being read as slow.
    weights: shipped weights, or a .safetensors file of exported ones.
    calibration: a JSON file of false positives; that of the weights if None.
    workers: threads, for the DirectRunner.
    runner: a Beam runner, or its name.
    beam_options: command-line options for the runner.
    overwrite: whether to replace files that speedflow did not make.

  Returns:
    What `mining.json` holds.

  Raises:
    SpeedflowError: bad input, or results that cannot be written.
  """
  # Its absence is explained before anything needs it.
  beam_runner.import_beam()
  weights_sha256 = SPEED.digest(weights)
  known = threshold.load(
    calibration or (_CALIBRATED if kind.is_path(weights) else weights)
  )
  limit = known.threshold(fpr)
  fits = known.fits(weights_sha256, min_seconds, max_speed)
  settings = examine.Settings(
    max_speed=max_speed,
    evidence=limit.evidence,
    min_seconds=min_seconds,
    doubt=known.doubt,
    sparse=not dense,
    max_minutes=max_minutes,
    ignore_metadata=ignore_metadata,
  )
  job = pipeline.Job(
    pathlib.Path(out),
    settings,
    weights,
    weights_sha256,
    _CHANGES if changes else "",
    CHANGE.digest(_CHANGES) if changes else "",
  )
  # Workers would find out late, file by file, that these are no weights.
  pipeline.networks(job)
  claims.compare([out], given)
  return pipeline.mine(
    sources.expand(given),
    job,
    {
      "statement": _statement(known, limit, fits),
      "settings": {**dataclasses.asdict(settings), "fpr": fpr},
      "calibration": dataclasses.asdict(limit) | {"fits": fits},
      "models": {
        "speedflow": speedflow.__version__,
        "estimator": weights,
        "estimator_sha256": weights_sha256,
        "changes": job.changes or None,
        "changes_sha256": job.changes_sha256 or None,
      },
    },
    runner=runner,
    workers=workers,
    beam_options=beam_options,
    overwrite=overwrite,
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
