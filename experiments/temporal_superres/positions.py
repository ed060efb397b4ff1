"""Where moving things are drawn, against where they truly are.

One body of the procedural source moves under gravity before a still camera,
so that its place is known exactly at any time.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from experiments.temporal_superres import protocol
from speedflow.data import procedural
from speedflow.evaluation import frames
from speedflow.timewarp import mechanics

_SIZE = (protocol.SHORT_SIDE, protocol.LONG_SIDE)


def scenes(count: int, seed: int = 0) -> list[procedural.ProceduralScene]:
  """Scenes of one body each."""
  found: list[procedural.ProceduralScene] = []
  rng = np.random.default_rng(seed)
  while len(found) < count:
    scene = procedural.ProceduralScene.sample(rng, _SIZE, seconds=1.0)
    if scene.bodies:
      still = mechanics.Sway.sample(rng, 0.0, 0.0)
      found.append(
        dataclasses.replace(scene, bodies=scene.bodies[:1], camera=still)
      )
  return found


def compare(
  methods: dict[str, Callable[[protocol.Window], list[np.ndarray]]],
  exposure: float,
  count: int,
) -> dict[str, float]:
  """Median distance, pixels, of bodies in 8x slowed video.

  Args:
    methods: by name, as `evaluate.methods`.
    exposure: of the input, 0..1.
    count: of scenes.
  """
  errors: dict[str, list[float]] = {name: [] for name in methods}
  for scene in scenes(count):
    window = protocol.scene_window(scene, exposure)
    # Nothing but bodies moves.
    background = dataclasses.replace(scene, bodies=()).frame(0.0)
    for name, method in methods.items():
      for made, truth in zip(method(window), window.truths, strict=True):
        error = frames.position_error(made, truth, background)
        if np.isfinite(error):
          errors[name].append(error)
  return {name: float(np.median(found)) for name, found in errors.items()}
