"""Trained weights of temporal super-resolution."""

from typing import TYPE_CHECKING

from speedflow.weights.kind import Kind

if TYPE_CHECKING:
  from speedflow.models import superres, time_flow

SUPERRES: "Kind[superres.SuperResNet]" = Kind(
  "superres",
  "temporal super-resolution",
  "speedflow.models.superres",
  "SuperResConfig",
  "SuperResNet",
)

TIME_FLOW: "Kind[time_flow.TimeFlow]" = Kind(
  "time_flow",
  "flow at a time",
  "speedflow.models.time_flow",
  "TimeFlowConfig",
  "TimeFlow",
)
"""Learnt flow, one more path of `SUPERRES`."""
