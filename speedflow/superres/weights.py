"""Trained weights of temporal super-resolution."""

from speedflow.models import superres
from speedflow.weights.kind import Kind

SUPERRES = Kind(
  "superres",
  "temporal super-resolution",
  superres.SuperResConfig,
  superres.SuperResNet,
)
