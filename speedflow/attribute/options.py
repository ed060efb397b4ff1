"""What may be asked for of an attribution."""

import dataclasses

from speedflow.errors import SpeedflowError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
  """How clips are ranked, and which are selected.

  Attributes:
    top: share of the clips that is selected, and that a query votes for.
    drop: whether the selection leaves the worst out, instead of keeping the
      best.
    weights: see `generate.weights.load_generator`.
    split: of the records.
    query_speed: playback speed factor of videos among the queries.
    part: (i, n): this host makes the features of every n-th file, from number i
      on; results are written when none are missing.
    overwrite: whether to replace files in the folder of results that speedflow
      did not make.
  """

  top: float = 0.1
  drop: bool = False
  weights: str = "tiny"
  split: str = "train"
  query_speed: float = 1.0
  part: tuple[int, int] = (0, 1)
  overwrite: bool = False

  def check(self) -> None:
    """Raises SpeedflowError if a number is out of range."""
    if not 0 < self.top <= 0.5:
      raise SpeedflowError(
        f"top is {self.top:g}; wanted more than 0, and at most 0.5"
      )
