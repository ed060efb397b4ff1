"""Trained weights of speed-change detectors."""

from speedflow.models import change_net
from speedflow.weights.kind import Kind

CHANGE = Kind(
  "change",
  "a speed-change detector",
  change_net.ChangeNetConfig,
  change_net.ChangeNet,
  not_kept=("dtype", "dropout"),
)
