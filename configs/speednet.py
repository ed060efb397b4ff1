"""A SpeedNet-style classifier of 1x and 2x on pixels: a baseline.

  speedflow train --config=configs/speednet.py:tiny --workdir=runs/speednet
  speedflow eval --config=configs/speednet.py:tiny --workdir=runs/speednet

It reads records of shots, records/clips.

| variant | parameters | hardware |
|---|---|---|
| smoke | 600 | anything, seconds |
| tiny | 0.04 M | one CPU core, a quarter of an hour |
| base | 2.6 M | one GPU; not trained yet |
| large | 10 M | TPU v5e-4 and up; not trained yet |
"""

import ml_collections

from speedflow.training.config import default_training

# widths of the blocks, pairs per batch, steps
_VARIANTS = {
  "smoke": ((4, 8), 4, 2),
  "tiny": ((16, 32, 64), 16, 1_500),
  "base": ((64, 128, 256, 512), 128, 10_000),
  "large": ((128, 256, 512, 1024), 512, 20_000),
}


def get_config(variant: str = "tiny") -> ml_collections.ConfigDict:
  """Returns the configuration of one variant."""
  if variant not in _VARIANTS:
    raise ValueError(f"variant {variant!r} is none of {', '.join(_VARIANTS)}")
  widths, pairs, steps = _VARIANTS[variant]
  config = default_training()
  config.experiment = "experiments.speed_estimator.speednet"
  config.num_steps = steps
  config.batch_size = pairs
  config.ema_decay = 0.99
  config.optimizer.learning_rate = 2e-3
  config.optimizer.weight_decay = 2e-2
  config.log_every = min(50, steps)
  config.eval_every = 0
  config.checkpoint_every = 500
  config.model = ml_collections.ConfigDict()
  config.model.widths = widths
  config.data = ml_collections.ConfigDict()
  # Folder of records of shots.
  config.data.records = "records/clips"
  return config
