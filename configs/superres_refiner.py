"""Made-up detail for temporal super-resolution, over its shipped network.

  speedflow train --config=configs/superres_refiner.py:tiny --workdir=runs/srr

Shot records are wanted first, as for `configs/temporal_superres.py`.

| variant | parameters | hardware | time |
|---|---|---|---|
| smoke | 3 thousand | anything | seconds |
| tiny | 0.06 M | one CPU core | ten minutes |
| base | 0.6 M | one GPU, or a TPU v5e-4 | an hour |
| large | 2 M | 8 GPUs, or a TPU v5e-32 | hours |
"""

import ml_collections

from configs import temporal_superres

# widths, steps, learning rate
_VARIANTS = {
  "smoke": ((4, 4), 2, 1e-3),
  "tiny": ((24, 40), 1_500, 2e-3),
  "base": ((96, 160), 50_000, 1e-3),
  "large": ((192, 320), 100_000, 5e-4),
}


def get_config(variant: str = "tiny") -> ml_collections.ConfigDict:
  """Returns the configuration of one variant."""
  if variant not in _VARIANTS:
    raise ValueError(f"variant {variant!r} is none of {', '.join(_VARIANTS)}")
  widths, steps, rate = _VARIANTS[variant]

  config = temporal_superres.get_config(variant)
  config.experiment = "experiments.temporal_superres.refinement"
  config.num_steps = steps
  config.optimizer.learning_rate = rate
  config.eval_every = 0
  config.checkpoint.best_metric = ""

  config.refiner = ml_collections.ConfigDict()
  config.refiner.widths = widths
  # The network whose pictures are refined.
  config.refiner.base = "tiny"
  # Expected errors (0..1) below this count less.
  config.refiner.matters = 6 / 255
  # Euler steps with which it is evaluated.
  config.refiner.eval_steps = (0, 1, 4)
  return config
