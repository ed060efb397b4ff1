"""speedflow: see, measure and control the flow of time in video."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from speedflow.estimate.estimator import load_estimator

__all__ = ["load_estimator"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
  # Data workers import this package and must not thereby import JAX.
  if name == "load_estimator":
    from speedflow.estimate import estimator

    return estimator.load_estimator
  raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
