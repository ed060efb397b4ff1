"""The speed of sound: how fast does this recording play?

  speedflow train --config=configs/sound_speed.py:tiny --workdir=runs/sound

Records of shots with sound are wanted first: `make records
SPEEDFLOW_DATA=FOLDER` writes them to records/clips.

| variant | parameters | hardware | time |
|---|---|---|---|
| smoke | 0.01 M | anything | seconds |
| tiny | 0.07 M | 1 CPU core | about ten minutes |
| base | 1.5 M | one GPU, or a TPU v5e-4 | not trained yet |
| large | 12 M | one GPU, or a TPU v5e-4 | not trained yet |
"""

import ml_collections

from speedflow.training.config import default_training

# width, depth, hidden, groups per batch, steps, learning rate
_VARIANTS = {
  "smoke": (4, 2, 16, 4, 2, 1e-3),
  "tiny": (16, 3, 96, 16, 1_500, 3e-3),
  "base": (64, 4, 512, 256, 10_000, 1e-3),
  "large": (192, 4, 2048, 512, 20_000, 5e-4),
}


def get_config(variant: str = "tiny") -> ml_collections.ConfigDict:
  """Returns the configuration of one variant."""
  if variant not in _VARIANTS:
    raise ValueError(f"variant {variant!r} is none of {', '.join(_VARIANTS)}")
  width, depth, hidden, groups, steps, rate = _VARIANTS[variant]
  large = variant in ("base", "large")

  config = default_training()
  config.experiment = "sound_speed"
  config.num_steps = steps
  config.batch_size = groups
  config.compute_dtype = "bfloat16" if large else "float32"
  config.ema_decay = 0.995
  config.optimizer.learning_rate = rate
  config.optimizer.warmup_steps = min(100, steps // 5)
  config.optimizer.final_fraction = 0.02
  config.optimizer.weight_decay = 3e-2
  config.log_every = min(50, steps)
  config.eval_every = min(250, steps)
  config.checkpoint_every = min(250, steps)
  config.checkpoint.best_metric = "mae"

  config.model = ml_collections.ConfigDict()
  # 10 ms each.
  config.model.columns = 80
  config.model.width = width
  config.model.depth = depth
  config.model.hidden = hidden
  config.model.bins = 49
  config.model.low = -3.0
  config.model.high = 3.0
  config.model.dropout = 0.3

  config.loss = ml_collections.ConfigDict()
  # Standard deviation of the target distribution, octaves.
  config.loss.label_width = 0.25
  # Weight of the equivariance term.
  config.loss.equivariance = 0.3

  config.data = ml_collections.ConfigDict()
  # Folder of records of shots.
  config.data.records = "records/clips"
  config.data.balance = 0.5
  config.data.octaves = 2.2
  config.data.gain_db = 8.0
  config.data.tilt_db = 4.0
  config.data.low_pass = 0.6
  config.data.noise = 0.2
  config.data.workers = 0
  return config
