"""Trained weights of temporal super-resolution."""

from typing import TYPE_CHECKING

from speedflow.weights.kind import Kind

if TYPE_CHECKING:
  from speedflow.models import superres

SUPERRES: "Kind[superres.SuperResNet]" = Kind(
  "superres",
  "temporal super-resolution",
  "speedflow.models.superres",
  "SuperResConfig",
  "SuperResNet",
)
