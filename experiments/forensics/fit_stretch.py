r"""Fits what tells whether sound was stretched at its pitch.

  python -m experiments.forensics.fit_stretch

Makes training clips' sound slower and faster, at the old pitch and with it,
through AAC, fits a logistic regression, writes the weights that
`speedflow.sound.stretch` reads, and prints how well it tells on `val`.
"""

import argparse
import io
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np
import safetensors.numpy
from sklearn import linear_model, metrics, model_selection, preprocessing

from experiments.forensics import forgeries
from speedflow import media
from speedflow.data.records import RecordSource, split_shards
from speedflow.data.schema import ShotRecord
from speedflow.evaluation import report
from speedflow.output.atomic import atomic_path
from speedflow.sound import stretch
from speedflow.timewarp import audio

_FACTORS = (0.5, 2.0)
_SECONDS = 5.0
# Of all training clips, this many, evenly chosen.
_MOST_CLIPS = 90


class Example(NamedTuple):
  """One sound: its features, how and by how much its pace was changed."""

  features: np.ndarray
  how: str
  factor: float
  source: str


def examples(
  paths: Sequence[pathlib.Path], most: int = _MOST_CLIPS
) -> Iterator[Example]:
  """Every way and factor for each real-time clip with audible sound."""
  source = RecordSource(paths)
  for number in range(0, len(source), max(1, len(source) // most)):
    shot = ShotRecord.decode(source[number])
    sound = shot.audio()
    if sound is None or shot.category != "realtime":
      continue
    mono = sound.samples.mean(1, keepdims=True)
    mono = mono[: round(_SECONDS * sound.rate)]
    if mono.size < sound.rate or mono.std() < forgeries.LEAST_LEVEL:
      continue
    ways: dict[str, Callable[[np.ndarray, int, float], np.ndarray]] = {
      "resampled": audio.change_speed,
      **forgeries.STRETCHERS,
    }
    made = [("untouched", 1.0, mono)]
    for how, change in ways.items():
      made += [(how, f, change(mono, sound.rate, f)) for f in _FACTORS]
    for how, factor, samples in made:
      heard = stretch.features([_through_aac(samples, sound.rate)])
      if heard is not None:
        yield Example(heard, how, factor, shot.source)


def fit(
  train: Sequence[Example], strength: float
) -> tuple[np.ndarray, float, np.ndarray]:
  """Fits the regression by even odds.

  Args:
    train: what to learn from.
    strength: inverse of the regularisation.

  Returns:
    Weights of the features, offset, and the log odds that each example gets
    from a fit without its source. Weights and offset are scaled so that those
    log odds are calibrated.
  """
  x = np.stack([e.features for e in train])
  y = np.array([e.how in forgeries.STRETCHERS for e in train])
  scaler = preprocessing.StandardScaler().fit(x)
  model = linear_model.LogisticRegression(
    C=strength, max_iter=5000, class_weight="balanced"
  )
  left_out = model_selection.cross_val_predict(
    model,
    scaler.transform(x),
    y,
    groups=np.array([e.source for e in train]),
    cv=model_selection.GroupKFold(6),
    method="decision_function",
  )
  scale = linear_model.LogisticRegression(
    class_weight="balanced", fit_intercept=False
  ).fit(left_out[:, None], y)
  slope = float(scale.coef_[0, 0])
  model.fit(scaler.transform(x), y)
  weights = slope * model.coef_[0] / scaler.scale_
  offset = slope * float(model.intercept_[0]) - weights @ scaler.mean_
  return weights, float(offset), slope * left_out


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the fit; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument(
    "--records", type=pathlib.Path, default=pathlib.Path("records/clips")
  )
  parser.add_argument("--strength", type=float, default=0.1)
  args = parser.parse_args(argv)
  train, val = (
    list(
      examples(
        split_shards(args.records, split, "records", "`make clips` writes them")
      )
    )
    for split in ("train", "val")
  )
  weights, offset, left_out = fit(train, args.strength)
  with atomic_path(stretch.WEIGHTS) as path:
    safetensors.numpy.save_file(
      {"weights": weights, "offset": np.array(offset)}, path
    )
  on_val = np.stack([e.features for e in val]) @ weights + offset
  for name, given, log_odds in (
    ("train, source left out", train, left_out),
    ("val", val, on_val),
  ):
    print(f"{name}: {len(given)} sounds; area under the ROC curve against")
    print("  untouched ones:", _areas(given, log_odds))
  return 0


def _areas(given: Sequence[Example], log_odds: np.ndarray) -> str:
  """How well each way and factor is told from untouched sound."""
  told = []
  for how in forgeries.STRETCHERS:
    for factor in _FACTORS:
      members = [
        e.how == "untouched" or (e.how == how and e.factor == factor)
        for e in given
      ]
      truth = [e.how == how for e in given]
      area = metrics.roc_auc_score(np.array(truth)[members], log_odds[members])
      told.append(f"{how} {factor:g}x {area:.2f}")
  return ", ".join(told)


def _through_aac(samples: np.ndarray, rate: int) -> media.Audio:
  file = io.BytesIO()
  with av.open(file, "w", format="adts") as container:
    stream = container.add_stream("aac", rate=rate, layout="mono")
    planar = np.ascontiguousarray(samples.T, np.float32)
    frame = av.AudioFrame.from_ndarray(planar, "fltp", "mono")
    frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
  file.seek(0)
  with av.open(file, "r") as container:
    decoded = [f.to_ndarray().mean(0) for f in container.decode(audio=0)]
  return media.Audio(np.concatenate(decoded)[:, None], rate)


if __name__ == "__main__":
  sys.exit(report.run(main))
