"""How slow is slow enough: a threshold with a stated false-positive rate.

Negatives are scenes that are known to play in real time, fast action among
them; of each scene, the slowest looking piece that the filters pass counts. Of
a new scene like them, the chance to lie above the m-th largest of n scores has
a Beta(m, n - m + 1) distribution, whatever the distribution of the scores (the
bound of Clopper and Pearson, Biometrika 1934, at an order statistic). So the
largest m that keeps the wanted rate with the wanted confidence gives the
threshold.
"""

import dataclasses
import json
import math
import pathlib
from typing import Any

from scipy import stats

from speedflow.errors import SpeedflowError
from speedflow.weights.kind import FOLDER

CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class Threshold:
  """A threshold, and what may be said of it.

  Attributes:
    evidence: a piece must exceed it, nats as of `scan.Piece`.
    fpr: the false-positive rate that it keeps.
    confidence: with which it keeps it.
    above: number of negatives that exceed it.
    negatives: number of negatives.
  """

  evidence: float
  fpr: float
  confidence: float
  above: int
  negatives: int

  def in_words(self, footage: str) -> str:
    """The statement, as a sentence.

    Args:
      footage: what the negatives are, such as "dashcam video".
    """
    return (
      f"False-positive rate <= {self.fpr:.3g} with "
      f"{math.floor(1000 * self.confidence) / 10:g} % confidence on real-time "
      f"footage like {footage}: {self.above} of {self.negatives} scenes exceed "
      f"the threshold of {self.evidence:.2f} nats of evidence for slow motion."
    )


@dataclasses.dataclass(frozen=True)
class Calibration:
  """What the negatives scored.

  Attributes:
    scores: by scene group, the largest `scan.Piece.evidence` of pieces that
      nothing but the threshold would reject; -inf where there is none.
    footage: what the negatives are, in words.
    min_seconds: length of the shortest pieces that were scored.
    max_speed: the fastest speed that was asked for.
    weights: name of the estimator's weights.
    weights_sha256: of their file.
    doubt: of the sparse scan, as for `scan.Glance.may_be_slow`.
    circumstances: command, versions and data.
  """

  scores: dict[str, float]
  footage: str
  min_seconds: float
  max_speed: float
  weights: str
  weights_sha256: str
  doubt: float
  circumstances: dict[str, Any]

  def threshold(self, fpr: float, confidence: float = CONFIDENCE) -> Threshold:
    """The lowest threshold that keeps a rate.

    Where there are too few negatives for this confidence, the highest of their
    scores is the threshold, and the confidence is what it is.

    Args:
      fpr: false-positive rate, by scenes, above 0 and below 1.
      confidence: that the rate is kept, 0..1.

    Raises:
      SpeedflowError: the rate is no rate.
    """
    if not 0 < fpr < 1:
      raise SpeedflowError(f"a false-positive rate of {fpr}; wanted 0 to 1")
    ranked = sorted(self.scores.values(), reverse=True)
    count = len(ranked)
    kept = [
      confidence_of(fpr, above, count)
      for above in range(count)
      if confidence_of(fpr, above, count) >= confidence
    ]
    above = max(len(kept) - 1, 0)
    return Threshold(
      # More for slow motion than for real time is asked for in any case.
      max(0.0, ranked[above]),
      fpr,
      confidence_of(fpr, above, count),
      above,
      count,
    )

  def smallest_fpr(self, confidence: float = CONFIDENCE) -> float:
    """The smallest rate that so many negatives can vouch for."""
    return float(-math.expm1(math.log1p(-confidence) / len(self.scores)))

  def fits(
    self, weights_sha256: str, min_seconds: float, max_speed: float
  ) -> bool:
    """Whether it says anything about these weights, lengths and speeds."""
    same = self.weights_sha256 == weights_sha256
    narrower = min_seconds >= self.min_seconds and max_speed <= self.max_speed
    return same and narrower

  def write(self, path: pathlib.Path) -> None:
    """Writes JSON; a score of -inf becomes null."""
    fields = dataclasses.asdict(self)
    fields["scores"] = {
      group: None if math.isinf(score) else round(score, 4)
      for group, score in sorted(self.scores.items())
    }
    path.write_text(json.dumps(fields, indent=1) + "\n")


def confidence_of(fpr: float, above: int, negatives: int) -> float:
  """With which confidence a rate is kept.

  Args:
    fpr: the rate.
    above: number of negatives that exceed the threshold.
    negatives: number of them all.
  """
  return float(stats.beta.cdf(fpr, above + 1, negatives - above))


def load(name: str = "tiny") -> Calibration:
  """Reads a shipped calibration.

  Args:
    name: of the estimator's weights, or the path of a .json file.

  Raises:
    SpeedflowError: there is none.
  """
  path = pathlib.Path(name)
  if path.suffix != ".json":
    path = FOLDER / f"mining_{name}.json"
  try:
    stored = json.loads(path.read_text())
    scores = {
      group: -math.inf if score is None else float(score)
      for group, score in stored.pop("scores").items()
    }
    return Calibration(scores=scores, **stored)
  except (OSError, ValueError, TypeError, KeyError) as error:
    raise SpeedflowError(
      f"{path}: no calibration of mining ({error}); write one with "
      "`python -m experiments.slowmo_mining.calibrate`"
    ) from error
