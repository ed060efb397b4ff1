"""Which frames of a shot play when: splices and ramps, and none of them.

A window is drawn as if its speed changed. Where it shall not change, the same
window plays at one of its speeds throughout, so that neither its length nor
its speed tells whether there is a change.
"""

import dataclasses

import numpy as np

from experiments.speed_change.pairs import MAX_SPEED
from speedflow.timewarp import resample

MIN_MAPS = 24
"""Maps of the shortest window."""

# A change lies in the middle part of its window, this share from either end.
_MARGIN = 0.25
# Of windows without a change: slow throughout, fast where there is enough of
# the shot, else at their mean speed.
_ATTEMPTS = 20
_LONGEST_RAMP = 30
# Whole strides keep the frames on an even grid; other speeds step unevenly, as
# those of editors do.
_WHOLE = np.array(
  [
    (a, b)
    for b in range(2, MAX_SPEED + 1)
    for a in range(1, b)
    if b / a >= 1.25
  ]
)


@dataclasses.dataclass(frozen=True)
class ChangePlan:
  """A window: its frames, and the truth about it.

  Attributes:
    clip: what to play.
    change: number of the frame at which the speed changes, or of the middle
      of the ramp; 0: it does not change.
    log2_ratio: of the speed after to the speed before; 0: no change.
    ramp: frames that the ramp takes; 0: a splice.
  """

  clip: resample.ClipPlan
  change: int = 0
  log2_ratio: float = 0.0
  ramp: int = 0


def sample(
  rng: np.random.Generator,
  frames: int,
  maps: int,
  *,
  ratios: tuple[float, float] = (1.25, 8.0),
  changes: bool = True,
  ramps: float = 0.25,
  exact: bool = False,
  often_fast: bool = False,
) -> ChangePlan | None:
  """Draws a window.

  The speed goes up as often as down.

  Args:
    rng: source of randomness.
    frames: of the shot.
    maps: frames of the window less one, at most.
    ratios: smallest and largest of the faster speed to the slower.
    changes: whether the speed changes.
    ramps: share of ramps among the changes.
    exact: no window is shorter than `maps`.
    often_fast: three of four windows without a change play fast, not half of
      them, and are shortened where the shot has too few frames for that. What
      plays fast is most like a change.

  Returns:
    The window; None when the shot is too short for what was drawn.
  """
  for _ in range(_ATTEMPTS):
    slow, fast = _speeds(rng, ratios)
    position = rng.uniform(_MARGIN, 1 - _MARGIN)
    rises = bool(rng.integers(2))
    share = 1 - position if rises else position  # Of the window, fast.
    mean = fast * share + slow * (1 - share)
    longest = min(int((frames - 2) / mean), maps)
    shortest = maps if exact else MIN_MAPS
    if longest >= shortest:
      break
  else:
    return None
  length = longest
  if rng.integers(2):
    length = int(rng.integers(shortest, longest, endpoint=True))
  if not changes:
    steady = slow
    if rng.integers(2) or (often_fast and rng.integers(2)):
      if often_fast:
        length = min(length, max(int((frames - 2) / fast), MIN_MAPS))
      steady = fast if fast * length <= frames - 2 else round(mean)
      steady = min(steady, (frames - 2) / length)
    curve: tuple[float, ...] = (float(max(steady, 1.0)),) * (length + 1)
    return ChangePlan(_placed(rng, frames, curve))
  before, after = (slow, fast) if rises else (fast, slow)
  change = int(np.clip(round(position * length), 4, length - 4))
  ramp = 0
  if rng.random() < ramps:
    room = 2 * min(change, length - change) - 4
    ramp = int(rng.integers(3, max(min(room, _LONGEST_RAMP), 4)))
    curve = resample.ramp_curve(
      length + 1,
      [(change - 0.5 - ramp / 2, before), (change - 0.5 + ramp / 2, after)],
    )
  else:
    curve = resample.splice_curve(length + 1, change, before, after)
  if sum(curve[:-1]) > frames - 2:  # Rounding, or a ramp's fast half.
    return None
  return ChangePlan(
    _placed(rng, frames, curve), change, float(np.log2(after / before)), ramp
  )


def _speeds(
  rng: np.random.Generator, ratios: tuple[float, float]
) -> tuple[float, float]:
  """A slower and a faster speed, from 1 to `MAX_SPEED`."""
  # Small changes, harder to see, are drawn more often: in octaves, too, the
  # size is log-uniform.
  octaves = np.log2(ratios)
  ratio = float(np.exp2(np.exp(rng.uniform(*np.log(octaves)))))
  if rng.integers(2):
    found = _WHOLE[:, 1] / _WHOLE[:, 0]
    allowed = (found >= ratios[0] - 1e-9) & (found <= ratios[1] + 1e-9)
    near = allowed & (np.abs(np.log2(found / ratio)) < 0.15)
    if near.any():
      slow, fast = rng.choice(_WHOLE[near])
      return float(slow), float(fast)
  slow = 1.0
  if rng.integers(2):
    slow = float(np.exp2(rng.uniform(0, np.log2(MAX_SPEED / ratio))))
  return slow, slow * ratio


def _placed(
  rng: np.random.Generator, frames: int, curve: tuple[float, ...]
) -> resample.ClipPlan:
  room = max(int(frames - 2 - sum(curve[:-1])), 0)
  start = int(rng.integers(0, room, endpoint=True))
  return resample.ClipPlan(
    start=float(start), factor=1.0, length=len(curve), curve=curve
  )
