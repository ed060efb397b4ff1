"""Trained weights of speed-change detectors."""

from typing import TYPE_CHECKING

from speedflow.weights.kind import Kind

if TYPE_CHECKING:
  from speedflow.models import change_net

CHANGE: "Kind[change_net.ChangeNet]" = Kind(
  "change",
  "a speed-change detector",
  "speedflow.models.change_net",
  "ChangeNetConfig",
  "ChangeNet",
  not_kept=("dtype", "dropout"),
)
