"""Whole clips of Wan's pipelines as they are published, with random parameters.

From a picture to its frames: what 2.1 is shown beside its latents, what 2.2's
TI2V knows by its time, and what 2.2's A14B hands from one transformer to
another. The other side is `whole_reference`.
"""

import copy
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from experiments.wan import stand_in
from speedflow.wan import index, pipeline

RECORDED = pathlib.Path(__file__).parent / "results" / "whole.json"

TRAINED = index.Trained(height=32, width=48, frames=9)

CASES: Mapping[str, Mapping[str, Any]] = {
  "2.1, I2V": {},
  "2.2, TI2V": {"expand_timesteps": True},
  "2.2, A14B": {"boundary_ratio": 0.9},
}
"""What the index says of each."""

TOLERANCE = 2
"""Grey levels; half of one is rounding's."""

WISH = pipeline.Wish(
  text="a ball falls",
  frames=TRAINED.frames,
  seed=3,
  steps=6,
  text_guidance=4.0,
)


def write(name: str, folder: pathlib.Path) -> None:
  """Writes the pipeline of a case.

  Args:
    name: of it.
    folder: made if missing.
  """
  sizes = copy.deepcopy({part: dict(f) for part, f in stand_in.TINY.items()})
  fields = sizes["transformer"]
  if name != "2.1, I2V":
    # 2.2 looks at no features of the picture.
    del fields["image_dim"], fields["added_kv_proj_dim"], sizes["image_encoder"]
  if CASES[name].get("expand_timesteps"):
    fields["in_channels"] = fields["out_channels"]
  boundary = CASES[name].get("boundary_ratio")
  stand_in.write(folder, sizes, TRAINED, boundary=boundary)
  path = folder / "model_index.json"
  path.write_text(json.dumps(json.loads(path.read_text()) | CASES[name]))


def picture() -> np.ndarray:
  """The first frame, uint8 [h, w, 3]."""
  rng = np.random.default_rng(0)
  size = (TRAINED.height, TRAINED.width, 3)
  return rng.integers(0, 256, size, dtype=np.uint8)


def noise() -> np.ndarray:
  """What `WISH` begins in, float32 [1, t, h, w, z]."""
  shape = (1, 1 + (WISH.frames - 1) // 4, 4, 6, 4)
  return np.asarray(jax.random.normal(jax.random.key(WISH.seed), shape))


def ours(folder: pathlib.Path) -> np.ndarray:
  """Our clip of a pipeline, uint8 [t, h, w, 3]."""
  return pipeline.WanGenerator(folder).generate(picture(), WISH)[0]


def kept(clip: np.ndarray) -> list[int]:
  """Some of its numbers, evenly spread."""
  flat = clip.reshape(-1)
  return [int(flat[k]) for k in np.linspace(0, len(flat) - 1, 200).astype(int)]
