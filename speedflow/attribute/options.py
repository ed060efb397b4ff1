"""What may be asked for of an attribution."""

import dataclasses
import pathlib

from speedflow.errors import SpeedflowError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
  """How clips are ranked, and which are selected.

  Attributes:
    top: share of the clips that is selected, and that a query votes for.
    drop: whether the selection leaves the worst out, instead of keeping the
      best.
    weights: see `generate.weights.load_generator`; or a folder of Wan that has
      learnt speed.
    split: of the records.
    query_speed: playback speed factor of videos among the queries; Wan has
      none.
    adapter_rank: 0: gradients are of all parameters. Above, for Wan alone: of
      low-rank matrices of that rank beside its attentions' projections; see
      `wan_features.Settings`.
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
  adapter_rank: int = 0
  part: tuple[int, int] = (0, 1)
  overwrite: bool = False

  @property
  def by_wan(self) -> bool:
    """Whether the weights are Wan's: a folder."""
    return pathlib.Path(self.weights).is_dir()

  def check(self) -> None:
    """Raises SpeedflowError if a number is out of range."""
    if not 0 < self.top <= 0.5:
      raise SpeedflowError(
        f"top is {self.top:g}; wanted more than 0, and at most 0.5"
      )
    if self.by_wan and self.query_speed != 1:
      raise SpeedflowError(
        f"--query-speed is not read by Wan, which {self.weights} is; records "
        "of latents say their speed: leave it out"
      )
    if self.adapter_rank and not self.by_wan:
      raise SpeedflowError(
        f"--adapter-rank is read by Wan alone, and {self.weights} is no "
        "folder; name Wan's as --weights"
      )
    if self.adapter_rank < 0:
      raise SpeedflowError(
        f"--adapter-rank is {self.adapter_rank}; wanted 0 (all parameters) or "
        "more"
      )
