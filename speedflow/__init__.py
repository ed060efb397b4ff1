"""speedflow: see, measure and control the flow of time in video.

`speedflow.api` has all verbs as functions.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from speedflow.detect.detector import load_detector
  from speedflow.estimate.estimator import load_estimator
  from speedflow.generate.weights import load_generator

__all__ = ["load_detector", "load_estimator", "load_generator"]
__version__ = "0.1.0"

_HOMES = {
  "load_detector": "speedflow.detect.detector",
  "load_estimator": "speedflow.estimate.estimator",
  "load_generator": "speedflow.generate.weights",
}


def __getattr__(name: str) -> Any:
  # Data workers import this package and must not thereby import JAX.
  if name in _HOMES:
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
  raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
