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

SIZE = (192, 320)
FPS = 30.0
FACTOR = 8


def scenes(count: int, seed: int = 0) -> list[procedural.ProceduralScene]:
  """Scenes of one body each."""
  found: list[procedural.ProceduralScene] = []
  rng = np.random.default_rng(seed)
  while len(found) < count:
    scene = procedural.ProceduralScene.sample(rng, SIZE, seconds=1.0)
    if scene.bodies:
      still = mechanics.Sway.sample(rng, 0.0, 0.0)
      found.append(
        dataclasses.replace(scene, bodies=scene.bodies[:1], camera=still)
      )
  return found


def compare(
  methods: dict[str, Callable[[protocol.Window], list[np.ndarray]]],
  count: int = 12,
) -> dict[str, float]:
  """Median distance, pixels, of bodies in 8x slowed sharp video.

  Args:
    methods: by name, as `evaluate.methods`.
    count: of scenes.
  """
  errors: dict[str, list[float]] = {name: [] for name in methods}
  times = [k / FACTOR for k in range(1, FACTOR)]
  for scene in scenes(count):
    start = scene.seconds / 2
    background = dataclasses.replace(scene, bodies=()).frame(start)
    window = protocol.Window(
      shot="",
      group="",
      category="procedural",
      inputs=[scene.frame(start + k / FPS) for k in range(2)],
      truths=[scene.frame(start + t / FPS) for t in times],
      times=times,
      exposure=0.0,
    )
    for name, method in methods.items():
      for made, truth in zip(method(window), window.truths, strict=True):
        error = frames.position_error(made, truth, background)
        if np.isfinite(error):
          errors[name].append(error)
  return {name: float(np.median(found)) for name, found in errors.items()}
