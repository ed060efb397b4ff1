"""Equivariant groups: several speeds of one source in one batch."""

import numpy as np

from speedflow.timewarp.resample import ClipPlan


def sample_group(
  rng: np.random.Generator,
  length_available: int,
  clip_length: int,
  clips: int,
  factor_range: tuple[float, float] = (1.0, 8.0),
  exposure_range: tuple[float, float] = (0.0, 0.0),
  integer: bool = False,
  reverse_probability: float = 0.0,
) -> list[ClipPlan]:
  """Draws clips of one source at different speeds, in random order.

  Log2 factors are uniform over the part of `factor_range` that the source is
  long enough for, one from each of `clips` equal strata, so that the speeds
  of a group spread out while each clip alone stays log-uniform. Exposure is
  drawn without looking at the speed, else blur would tell it; the direction
  of time is one for the group.

  Args:
    rng: source of randomness.
    length_available: frames of the source.
    clip_length: frames of each clip.
    clips: how many clips.
    factor_range: lowest and highest speed factor, both at least 1.
    exposure_range: lowest and highest exposure ratio, within 0..1.
    integer: whole factors only. The frames of a fractional factor step
      unevenly (1, 2, 1, 2, ... at 1.5), which betrays that a sparse source
      was sped up; use it unless the source is much denser than the clips.
    reverse_probability: chance that the group runs backwards.

  Raises:
    ValueError: the source is too short for the slowest clip.
  """
  lowest, highest = factor_range
  if not 1.0 <= lowest <= highest:
    raise ValueError(f"factor_range is {factor_range}; wanted 1 <= low <= high")
  if clip_length < 2:
    raise ValueError(f"a clip of {clip_length} frames has no speed")
  # The last shutter closes factor x exposure, or one frame, after it opens.
  densest = min(
    (length_available - 1) / (clip_length - 1),
    length_available / (clip_length - 1 + exposure_range[1]),
  )
  if densest < lowest:
    raise ValueError(
      f"{length_available} frames are too few for {clip_length} frames at"
      f" {lowest:g}x"
    )
  highest = min(highest, densest)
  if integer:
    lowest, highest = np.ceil(lowest), np.floor(highest) + 1
    if highest <= lowest:
      raise ValueError(f"no whole factor fits into {factor_range}")
  strata = rng.permutation(clips) + rng.uniform(size=clips)
  span = np.log2(highest / lowest)
  factors = lowest * np.exp2(span * strata / clips)
  if integer:
    factors = np.floor(factors)
  reverse = bool(rng.uniform() < reverse_probability)
  plans = []
  for factor in factors.tolist():
    exposure = float(rng.uniform(*exposure_range))
    used = factor * (clip_length - 1) + max(factor * exposure, 1)
    # Whole starts keep whole factors on whole frames.
    start = rng.integers(0, length_available - used, endpoint=True)
    plans.append(
      ClipPlan(
        start=float(start),
        factor=factor,
        length=clip_length,
        exposure=exposure,
        reverse=reverse,
      )
    )
  return plans


def log2_ratios(plans: list[ClipPlan]) -> np.ndarray:
  """float32 [n, n]: log2 of speed i / speed j, exact without any anchor.

  Its sign is the order label: +1 where clip i is faster than clip j.
  """
  log2 = np.log2([plan.factor for plan in plans])
  return (log2[:, None] - log2[None, :]).astype(np.float32)
