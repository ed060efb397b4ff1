"""What was done to a video's time: a posterior over verdicts.

The speed of the picture is a hidden path: constant but for the changes that
were found, each of which may be a false alarm. Readings of the speed of each
stretch, and of the ratio at each change, are its observations. Where nothing
was done it lies at 1 throughout. The forward algorithm on a grid of
log2 speeds gives the likelihood of all readings for paths that are never off
1, above it, below it, or both (Rabiner, "A tutorial on hidden Markov models",
1989, section III.A).

If sound and picture were changed alike, one path explains the readings of
both. In a conflict each has its own: one is off 1, and the other never is.
"""

import dataclasses
import itertools
import math
from collections.abc import Collection, Iterable, Sequence
from typing import Protocol, get_args

import numpy as np

from speedflow.clocks import reading as clock_lib
from speedflow.detect.answer import Modality, Reading, Stretch, Verdict

# Log2 speeds that a path may take.
_STEPS_PER_OCTAVE = 8
_GRID = np.arange(-4 * _STEPS_PER_OCTAVE, 4 * _STEPS_PER_OCTAVE + 1) / 8.0
# What a path has been, as bits.
_FASTER, _SLOWER = 1, 2
_HISTORIES = 4
_BIT = np.where(_GRID > 0, _FASTER, np.where(_GRID < 0, _SLOWER, 0))
# Octaves: finer than the grid, a reading would fall between its points.
_FINEST = 0.5 / _STEPS_PER_OCTAVE
# Per octave: readings that have gone wrong are anywhere.
_ANYWHERE = 1 / (_GRID[-1] - _GRID[0])
# Errors that all stretches of a file share, in standard deviations.
_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(7)
# Evidence is mentioned that changes the posterior odds by this factor or more.
_MENTIONED = 1.15


class Found(Protocol):
  """A change as found in one modality, see `detect.Change`."""

  @property
  def time_s(self) -> float:
    """When."""

  @property
  def ratio(self) -> float:
    """Speed after / speed before."""

  @property
  def ratio_low(self) -> float:
    """Lower end of the 80 % interval."""

  @property
  def ratio_high(self) -> float:
    """Upper end of the 80 % interval."""

  @property
  def probability(self) -> float:
    """That it is there, by a prior of one half."""


@dataclasses.dataclass(frozen=True)
class Evidence:
  """All that is known of a file.

  Attributes:
    changes: what was found in each modality at each place, in order; [n].
      Nothing at all is no evidence.
    stretches: before, between and after them; [n + 1].
    audible: whether there is sound in which changes would show.
    stretched: probability, by a prior of one half, that the sound's duration
      was changed at its old pitch; None where that is not known.
    clocks: what the clocks in the scene say, of those that speak. They are
      read over the whole file, and bear on its speed where nothing changes.
  """

  changes: tuple[dict[Modality, Found], ...]
  stretches: tuple[Stretch, ...]
  audible: bool
  stretched: float | None = None
  clocks: tuple[clock_lib.Reading, ...] = ()


@dataclasses.dataclass(frozen=True)
class Belief:
  """Prior of a file, and reliability of the modalities.

  Attributes:
    untouched: probability that a path begins at speed 1.
    octaves: how far off 1 it begins otherwise, typically.
    change: probability of a change wherever one is found in a modality.
    conflict: probability that picture and sound were not changed alike.
    old_pitch: share of conflicts in which only the picture seems changed; the
      rest are as often of sound alone as of both differently.
    wrong: share of readings that are outliers.
    shared: share of a reading's error (variance) that the stretches of a file
      have in common.
    bias: mean reading of each modality of what plays at 1, octaves.
    gain: factor on the readings of each modality without their bias, since
      uncertain ones shrink towards the prior.
    width: factor on the spread of each modality's readings of speed.
    recall: probability that a change is found in a modality that shows speed.
    accusation: cost of saying of an untouched file that it was changed, where
      any other wrong verdict costs 1.
    silence: cost of giving no verdict.
  """

  untouched: float = 0.50
  octaves: float = 1.0
  change: float = 0.13
  conflict: float = 0.27
  old_pitch: float = 0.8
  wrong: float = 0.018
  shared: float = 0.74
  bias: dict[Modality, float] = dataclasses.field(
    default_factory=lambda: {"picture": 0.0, "sound": -0.10}
  )
  gain: dict[Modality, float] = dataclasses.field(
    default_factory=lambda: {"picture": 1.2, "sound": 1.22}
  )
  width: dict[Modality, float] = dataclasses.field(
    default_factory=lambda: {"picture": 1.14, "sound": 0.89}
  )
  recall: dict[Modality, float] = dataclasses.field(
    default_factory=lambda: {"picture": 0.18, "sound": 0.98}
  )
  accusation: float = 3.0
  silence: float = 0.7

  @property
  def start(self) -> np.ndarray:
    """Of each point of the grid, float64 [grid]."""
    away = np.exp(-np.abs(_GRID) / self.octaves) * (_GRID != 0)
    start = (1 - self.untouched) * away / away.sum()
    start[_GRID == 0] = self.untouched
    return start


BELIEF = Belief()
"""Chosen on validation clips by experiments/forensics/choose.py; bias and gain
of the picture by experiments/speed_estimator/unseen.py, since its readings are
calibrated there."""


@dataclasses.dataclass(frozen=True)
class Judgement:
  """The verdict.

  Attributes:
    verdict: the one that is expected to cost least, or "uncertain".
    probabilities: of all but "uncertain"; they sum to 1.
    why: the evidence in plain words, what decided first.
  """

  verdict: Verdict
  probabilities: dict[Verdict, float]
  why: str


def judge(evidence: Evidence, belief: Belief = BELIEF) -> Judgement:
  """Weighs all evidence about a file."""
  probabilities = posterior(evidence, belief)
  verdict = cheapest(probabilities, belief)
  why = _in_words(evidence, belief, probabilities, verdict)
  return Judgement(verdict, probabilities, why)


def cheapest(probabilities: dict[Verdict, float], belief: Belief) -> Verdict:
  """The verdict whose expected cost is least.

  Args:
    probabilities: of all verdicts but "uncertain".
    belief: which says what errors cost.
  """
  costs: dict[Verdict, float] = {
    verdict: 1 - probability for verdict, probability in probabilities.items()
  }
  more = (belief.accusation - 1) * probabilities["untouched"]
  for verdict in costs:
    if verdict != "untouched":
      costs[verdict] += more
  costs["uncertain"] = belief.silence
  return min(costs, key=costs.__getitem__)


def posterior(
  evidence: Evidence, belief: Belief = BELIEF
) -> dict[Verdict, float]:
  """Probability of each verdict but "uncertain"."""
  log_both, log_picture, log_sound = (
    _log_likelihood(evidence, modalities, belief)
    for modalities in (("picture", "sound"), ("picture",), ("sound",))
  )
  # One path for both modalities, or one for each: on a common scale.
  scale = max(log_both.max(), log_picture.max() + log_sound.max())
  both = np.exp(log_both - scale)
  apart = np.exp(log_picture[:, None] + log_sound - scale)
  # Without sound, nothing can conflict with the picture.
  has_sound = evidence.audible or any(
    "sound" in s.speeds for s in evidence.stretches
  )
  conflict = belief.conflict if has_sound else 0.0
  stretched = 0.5 if evidence.stretched is None else evidence.stretched
  # Over how often two paths are so by chance.
  rest, off = (1 - belief.old_pitch) / 2, 1 - belief.untouched
  old_pitch = belief.old_pitch / (off * belief.untouched) * stretched
  only_sound = rest / (off * belief.untouched) / 2
  differently = rest / off**2 / 2
  alike = (1 - conflict) * (1 - stretched) * both
  weights = {
    "untouched": alike[0],
    "sped_up": alike[_FASTER],
    "slowed_down": alike[_SLOWER],
    "mixed": alike[_FASTER | _SLOWER],
    "conflict": conflict
    * (
      old_pitch * apart[1:, 0].sum()
      + only_sound * apart[0, 1:].sum()
      + differently * apart[1:, 1:].sum()
    ),
  }
  total = sum(weights.values())
  return {
    name: float(weights[name] / total)
    for name in get_args(Verdict)
    if name in weights
  }


def reading(found: Found) -> Reading:
  """The ratio at a change, with its interval."""
  return Reading(found.ratio, found.ratio_low, found.ratio_high)


def _log_likelihood(
  evidence: Evidence, modalities: Sequence[Modality], belief: Belief
) -> np.ndarray:
  """Log-likelihood of the readings of some modalities, of one path.

  Returns:
    float64 [4]: jointly with the path's never being off 1, its being faster,
    slower, and both.
  """
  start = belief.start
  errors = np.array(list(itertools.product(_NODES, repeat=len(modalities))))
  weights = itertools.product(_NODE_WEIGHTS, repeat=len(modalities))
  share = np.array([math.prod(w) for w in weights])
  share /= share.sum()
  # Of each shared error, history and log2 speed.
  forward = np.zeros((len(share), _HISTORIES, len(_GRID)))
  forward[:, _BIT, np.arange(len(_GRID))] = share[:, None] * start
  scale = 0.0
  for number, stretch in enumerate(evidence.stretches):
    if number:
      before = evidence.stretches[number - 1]
      shown = set(before.speeds) & set(stretch.speeds)
      if evidence.audible:
        shown.add("sound")
      found = evidence.changes[number - 1]
      forward = _changed(forward, found, modalities, shown, belief)
    for column, modality in enumerate(modalities):
      if modality in stretch.speeds:
        given = stretch.speeds[modality]
        forward *= _speed_likelihood(
          belief.gain[modality] * (given.log2 - belief.bias[modality]),
          belief.gain[modality] * belief.width[modality] * given.spread,
          errors[:, column],
          belief,
        )[:, None]
    if len(evidence.stretches) == 1:
      for clock in evidence.clocks:
        if clock.modality in modalities:
          seen = clock.log_likelihood(_GRID)
          forward *= np.exp(seen - seen.max())
    # Rescaled, since the likelihood of many readings underflows.
    scale += math.log(forward.max())
    forward /= forward.max()
  return scale + np.log(np.maximum(forward.sum((0, 2)), 1e-300))


def _speed_likelihood(
  log2: float, spread: float, errors: np.ndarray, belief: Belief
) -> np.ndarray:
  """Likelihood of a reading by shared error [m]: float64 [m, grid]."""
  shared = errors[:, None] * spread * math.sqrt(belief.shared)
  own = max(spread * math.sqrt(1 - belief.shared), _FINEST)
  good = _normal(log2 - _GRID - shared, own)
  return (1 - belief.wrong) * good + belief.wrong * _ANYWHERE


def _changed(
  forward: np.ndarray,
  found: dict[Modality, Found],
  modalities: Sequence[Modality],
  shown: Collection[Modality],
  belief: Belief,
) -> np.ndarray:
  """Moves [m, history, grid] past a place where a change may have been.

  It would show in the modalities in `shown`, unless it was missed there.
  """
  present = [found[modality] for modality in modalities if modality in found]
  if not present:
    return forward
  odds = belief.change / (1 - belief.change)
  for modality in modalities:
    if modality in found:
      probability = min(max(found[modality].probability, 1e-3), 1 - 1e-3)
      odds *= probability / (1 - probability)
    elif modality in shown:
      odds *= 1 - belief.recall[modality]
  start = belief.start
  # By log2 speed before and after; a change goes elsewhere.
  moves = start / (1 - start)[:, None]
  np.fill_diagonal(moves, 0.0)
  step = _GRID - _GRID[:, None]
  imagined = 1.0
  for change in present:
    given = reading(change)
    anything = float(_normal(np.array(given.log2), 1.0))
    good = _normal(given.log2 - step, max(given.spread, _FINEST))
    moves = moves * ((1 - belief.wrong) * good + belief.wrong * anything)
    imagined *= anything
  there = odds / (1 + odds)
  moved = there * (forward @ moves)
  result = (1 - there) * imagined * forward
  for history in range(_HISTORIES):
    for bit in (0, _FASTER, _SLOWER):
      result[:, history | bit, bit == _BIT] += moved[:, history, bit == _BIT]
  return result


def _normal(deviation: np.ndarray, spread: float) -> np.ndarray:
  scale = spread * math.sqrt(2 * math.pi)
  return np.exp(-0.5 * (deviation / spread) ** 2) / scale


_VERDICT_IN_WORDS: dict[Verdict, str] = {
  "untouched": "Most likely untouched",
  "sped_up": "Most likely sped up",
  "slowed_down": "Most likely slowed down",
  "mixed": "Most likely sped up in one part and slowed down in another",
  "conflict": "Picture and sound were most likely not changed alike",
  "uncertain": "No verdict is likely enough",
}


def _in_words(
  evidence: Evidence,
  belief: Belief,
  probabilities: dict[Verdict, float],
  verdict: Verdict,
) -> str:
  """The verdict, and the evidence for and against it, by its weight."""
  likeliest = max(probabilities, key=probabilities.__getitem__)
  judged = likeliest if verdict == "uncertain" else verdict
  weighed = []
  for words, without in _pieces(evidence):
    less = posterior(without, belief)[judged]
    weighed.append((_log_odds(probabilities[judged]) - _log_odds(less), words))
  # Digits beyond these depend on the processor; ties go by the words.
  weighed.sort(key=lambda piece: (-round(piece[0], 3), piece[1]))
  least = math.log(_MENTIONED)
  supports = [words for weight, words in weighed if weight > least]
  opposes = [words for weight, words in reversed(weighed) if weight < -least]
  head = f"{_VERDICT_IN_WORDS[verdict]} ({probabilities[judged]:.0%})"
  if verdict != likeliest:
    named = ", ".join(
      f"{name.replace('_', ' ')} {p:.0%}"
      for name, p in likeliest_first(probabilities)
      if p > 0.1
    )
    doubt = "Too little proof of a change" if verdict == "untouched" else ""
    head = f"{doubt or _VERDICT_IN_WORDS[verdict]}: {named}"
  parts = [head + (f": {'; '.join(supports)}." if supports else ".")]
  if opposes:
    parts.append(f"Against it: {'; '.join(opposes)}.")
  if rest := [words for weight, words in weighed if abs(weight) <= least]:
    parts.append(f"Hardly matters: {'; '.join(rest)}.")
  return " ".join(parts)


def likeliest_first(
  probabilities: dict[Verdict, float],
) -> list[tuple[Verdict, float]]:
  """All verdicts; ties, up to what depends on the processor, go by name."""
  return sorted(
    probabilities.items(), key=lambda item: (-round(item[1], 4), item[0])
  )


def _log_odds(probability: float) -> float:
  clipped = min(max(probability, 1e-9), 1 - 1e-9)
  return math.log(clipped / (1 - clipped))


def _pieces(evidence: Evidence) -> Iterable[tuple[str, Evidence]]:
  """Each piece of evidence in words, and the evidence without it."""
  modalities: tuple[Modality, ...] = get_args(Modality)
  for modality in modalities:
    shown = [s for s in evidence.stretches if modality in s.speeds]
    if shown:
      yield (
        f"the {modality} plays {_speeds_in_words(shown, modality)}",
        dataclasses.replace(
          evidence,
          stretches=tuple(
            dataclasses.replace(
              stretch,
              speeds={k: v for k, v in stretch.speeds.items() if k != modality},
            )
            for stretch in evidence.stretches
          ),
        ),
      )
  for number, found in enumerate(evidence.changes):
    if not found:
      continue
    changes = list(evidence.changes)
    changes[number] = {}
    yield (
      _change_in_words(found, evidence.audible),
      dataclasses.replace(evidence, changes=tuple(changes)),
    )
  for clock in evidence.clocks:
    others = tuple(other for other in evidence.clocks if other is not clock)
    yield clock.in_words(), dataclasses.replace(evidence, clocks=others)
  if evidence.stretched is not None:
    marks = "the marks" if evidence.stretched > 0.5 else "no marks"
    yield (
      f"the sound bears {marks} of a change of pace at its old pitch",
      dataclasses.replace(evidence, stretched=None),
    )


def _speeds_in_words(stretches: Sequence[Stretch], modality: Modality) -> str:
  parts = []
  for stretch in stretches:
    middle, low, high = stretch.speeds[modality]
    span = ""
    if len(stretches) > 1:
      span = f" from {stretch.start_s:.1f} to {stretch.end_s:.1f} s"
    parts.append(f"at about {middle:.2g}x ({low:.2g}-{high:.2g}){span}")
  return ", ".join(parts)


def _change_in_words(found: dict[Modality, Found], audible: bool) -> str:
  # The sound's ratio is the more exact, and its time, too.
  change = found.get("sound") or found["picture"]
  faster = change.ratio >= 1
  factor = max(change.ratio, 1 / change.ratio)
  who = "picture and sound become"
  if len(found) == 1:
    (modality,) = found
    who = f"the {modality} becomes"
  words = (
    f"at {change.time_s:.1f} s {who} about {factor:.2g} times"
    f" {'faster' if faster else 'slower'}"
  )
  if len(found) == 1 and audible:
    other = "sound" if "picture" in found else "picture"
    words += f", which the {other} does not show"
  return words
