"""What may be asked for of a search for slow motion."""

import dataclasses
from collections.abc import Sequence
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
  """What is looked for, and how.

  Attributes:
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
  """

  max_speed: float = 0.5
  fpr: float = 0.01
  min_seconds: float = 2.0
  max_minutes: float = 120.0
  dense: bool = False
  changes: bool = False
  ignore_metadata: bool = False
  weights: str = "tiny"
  calibration: str | None = None
  workers: int = 1
  runner: Any = "DirectRunner"
  beam_options: Sequence[str] = ()
  overwrite: bool = False
