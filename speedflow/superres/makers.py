"""What makes frames: a network of this library, or Wan."""

import hashlib
import pathlib
from typing import Any

import speedflow
from speedflow.superres import provenance
from speedflow.superres import weights as superres_weights
from speedflow.superres.interpolator import FrameInterpolator, Interpolator
from speedflow.weights import compiled


def load(weights: str) -> Interpolator:
  """Loads what makes frames.

  Args:
    weights: shipped weights, a file of exported ones, or a folder of Wan.

  Raises:
    SpeedflowError: they are none of these.
  """
  compiled.keep()
  folder = pathlib.Path(weights)
  if folder.is_dir():
    from speedflow.superres.wan_interpolator import WanInterpolator

    return WanInterpolator(folder)
  return FrameInterpolator(superres_weights.SUPERRES.load(weights)[0])


def facts(weights: str) -> dict[str, Any]:
  """What makes the frames, for the JSON beside a video.

  Args:
    weights: as in `load`.
  """
  folder = pathlib.Path(weights)
  if folder.is_dir():
    digest = hashlib.sha256()
    for file in sorted((folder / "transformer").glob("*.safetensors")):
      digest.update(provenance.sha256(file).encode())
    name, sha256 = folder.resolve().name, digest.hexdigest()
  else:
    path = superres_weights.SUPERRES.find(weights)
    name, sha256 = path.name, superres_weights.SUPERRES.digest(path)
  return {
    "weights": name,
    "weights_sha256": sha256,
    "speedflow": speedflow.__version__,
  }
