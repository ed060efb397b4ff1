r"""Measures how wide 80 % intervals must be, on validation sounds.

  python -m experiments.sound_speed.calibrate runs/sound/sound.safetensors \
    speedflow/weights/sound_tiny.safetensors --run runs/sound/run.json

The half width is the 80 % quantile of |error| / predicted spread (split
conformal prediction) of whole sounds, resampled to speeds of 1/4 to 4.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.sound_speed import protocol
from speedflow import media
from speedflow.estimate import sound_network, sound_speed, weights
from speedflow.evaluation import report
from speedflow.timewarp import audio as audio_speed
from speedflow.training import run_record

_SPEEDS = (-2.0, -1.0, 0.0, 1.0, 2.0)
_COVERAGE = 0.8


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the calibration; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("weights", type=pathlib.Path)
  parser.add_argument("out", type=pathlib.Path)
  parser.add_argument("--run", type=pathlib.Path, help="run.json of the run")
  args = parser.parse_args(argv)
  model, _ = weights.SOUND.load(args.weights)
  extra: dict[str, Any] = {
    "width": width(
      sound_speed.SoundModel(sound_network.of_model(model), width=1.0)
    )
  }
  if args.run:
    extra["run"] = run_record.in_short(args.run)
  weights.SOUND.save(args.out, model, extra)
  print(json.dumps(extra["width"]))
  return 0


def width(model: sound_speed.SoundModel) -> float:
  """Half width of an 80 % interval, in predicted standard deviations.

  Args:
    model: whose own width is 1.
  """
  misses = []
  for sound in protocol.sounds("val"):
    for octaves in _SPEEDS:
      played = audio_speed.change_speed(sound.samples, sound.rate, 2.0**octaves)
      answer = model.estimate([media.Audio(played, sound.rate)])
      if answer.speed and answer.speed_high:
        spread = np.log2(answer.speed_high / answer.speed)
        misses.append(abs(np.log2(answer.speed) - octaves) / spread)
  return float(np.quantile(misses, _COVERAGE))


if __name__ == "__main__":
  sys.exit(report.run(main))
