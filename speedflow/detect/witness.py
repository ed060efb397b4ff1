"""The file as a witness: what it declares is heard, and changes no verdict.

A tag is easily copied or made, and most editors drop it, so neither does it
prove what was done nor its absence that nothing was. A declared rate that the
picture contradicts is worth knowing all the same.
"""

import dataclasses
import os
from collections.abc import Callable

from speedflow import declared as declared_lib
from speedflow.declared import Declaration
from speedflow.detect import answer as detect_lib
from speedflow.detect import detector as detector_lib
from speedflow.estimate import witness as estimate_witness


def detect(
  detector: detector_lib.Detector,
  path: str | os.PathLike[str],
  ignore_metadata: bool = False,
  on_progress: Callable[[float], None] | None = None,
) -> detect_lib.Detection:
  """Examines picture and sound of a file, and adds what it declares.

  Args:
    detector: of changes and of their kind.
    path: a video file.
    ignore_metadata: whether not to ask what it declares.
    on_progress: called now and then with the share that is done, 0..1.

  Raises:
    SpeedflowError: the picture cannot be read.
  """
  found = detector.detect(path, on_progress=on_progress)
  return add(found, declared_lib.ask(path, ignore_metadata, found.info))


def add(
  found: detect_lib.Detection, declared: Declaration | None
) -> detect_lib.Detection:
  """Adds what a file declares to what picture and sound say.

  Args:
    found: their answer.
    declared: of the same file; None where it is not to be asked.

  Returns:
    The answer, with a sentence more in `why` for each thing that is said.
  """
  if declared is None or not declared.says_anything or found.status == "error":
    return found
  findings = [*_contradiction(found, declared)]
  if declared.trust == "contradictory":
    findings.append("The rates that the file declares contradict each other.")
  if declared.tools:
    findings.append(
      f"The file was written by {', '.join(declared.tools)}: exported or "
      "copied, not as filmed."
    )
  said = []
  if declared.capture_fps is not None:
    said.append(f"The file {declared.in_words()} ({declared.source}).")
  words = [found.why, *said, *findings]
  return dataclasses.replace(
    found,
    declared=declared,
    findings=tuple(findings),
    why=" ".join(word for word in words if word) or None,
  )


def _contradiction(
  found: detect_lib.Detection, declared: Declaration
) -> list[str]:
  """What the picture says against the declared speed, all over the file."""
  readings = [
    stretch.speeds["picture"]
    for stretch in found.stretches
    if "picture" in stretch.speeds
  ]
  speed = declared.speed
  if speed is None or not readings:
    return []
  if not all(
    estimate_witness.contradicts(speed, r.low, r.high) for r in readings
  ):
    return []
  low, high = min(r.low for r in readings), max(r.high for r in readings)
  return [
    f"The picture, at {low:.2g}-{high:.2g}x, contradicts the {speed:.3g}x that "
    "the file declares: it was retimed, or its tags are not its own."
  ]
