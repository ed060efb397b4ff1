"""A SpeedNet-style classifier of 1x and 2x on pixels: a baseline.

  speedflow train --config=configs/speednet.py:tiny --workdir=runs/speednet
  speedflow eval --config=configs/speednet.py:tiny --workdir=runs/speednet

It reads records of shots, records/clips. The variant `smoke` takes seconds.
"""

import ml_collections

from speedflow.training.config import default_training


def get_config(variant: str = "tiny") -> ml_collections.ConfigDict:
  """Returns the configuration of one variant."""
  if variant not in ("smoke", "tiny"):
    raise ValueError(f"variant {variant!r} is none of smoke, tiny")
  smoke = variant == "smoke"
  config = default_training()
  config.experiment = "experiments.speed_estimator.speednet"
  config.num_steps = 2 if smoke else 1_500
  config.batch_size = 4 if smoke else 16
  config.ema_decay = 0.99
  config.optimizer.learning_rate = 2e-3
  config.optimizer.weight_decay = 2e-2
  config.log_every = 2 if smoke else 50
  config.eval_every = 0
  config.checkpoint_every = 500
  config.model = ml_collections.ConfigDict()
  config.model.widths = (4, 8) if smoke else (16, 32, 64)
  config.data = ml_collections.ConfigDict()
  # Folder of records of shots.
  config.data.records = "records/clips"
  return config
