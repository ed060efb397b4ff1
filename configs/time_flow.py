"""Learnt flow at a time between two frames, for temporal super-resolution.

  speedflow train --config=configs/time_flow.py:tiny --workdir=runs/flow

Examples are wanted first: see `experiments.temporal_superres.flow_examples`.

| variant | parameters | hardware | time |
|---|---|---|---|
| smoke | 30 thousand | anything | seconds |
| tiny | 0.3 M | one CPU core | about an hour |
"""

import ml_collections

from speedflow.training.config import default_training

# features, matching, batch, height, width, steps
_VARIANTS = {
  "smoke": ((4, 4, 4), (4, 4, 4), 2, 64, 64, 2),
  "tiny": ((24, 40, 64), (64, 48, 32), 4, 128, 192, 10_000),
}


def get_config(variant: str = "tiny") -> ml_collections.ConfigDict:
  """Returns the configuration of one variant."""
  if variant not in _VARIANTS:
    raise ValueError(f"variant {variant!r} is none of {', '.join(_VARIANTS)}")
  features, matching, batch, height, width, steps = _VARIANTS[variant]

  config = default_training()
  config.experiment = "experiments.temporal_superres.flow_experiment"
  config.num_steps = steps
  config.batch_size = batch
  config.ema_decay = 0.998
  config.optimizer.learning_rate = 1e-3
  config.optimizer.warmup_steps = min(200, steps // 5)
  config.optimizer.final_fraction = 0.02
  config.optimizer.weight_decay = 1e-3
  config.log_every = min(100, steps)
  config.eval_every = min(1_000, steps)
  config.checkpoint_every = min(500, steps)
  config.checkpoint.best_metric = "selection"

  config.model = ml_collections.ConfigDict()
  config.model.features = features
  config.model.matching = matching

  config.loss = ml_collections.ConfigDict()
  # Weight of the error's gradients beside its values.
  config.loss.gradients = 0.5
  # Weight of the error of the better end of the flow.
  config.loss.better = 0.3
  # Weight of a pixel's distance from the teacher's flow; 0: no teacher.
  config.loss.taught = 0.01

  config.data = ml_collections.ConfigDict()
  # Folder of `flow_examples`.
  config.data.examples = "records/flow"
  config.data.height = height
  config.data.width = width
  # Chance that the whole picture moves, too.
  config.data.moved = 0.4
  config.data.threads = 1

  config.eval_examples = 200
  return config
