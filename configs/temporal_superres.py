"""Temporal super-resolution: sharp pictures at any time between two frames.

  speedflow train --config=configs/temporal_superres.py:tiny --workdir=runs/sr

Shot records are wanted first: `make records SPEEDFLOW_DATA=FOLDER` writes
them to records/clips.

| variant | parameters | hardware | time |
|---|---|---|---|
| smoke | 5 thousand | anything | seconds |
| tiny | 0.5 M | one or two CPU cores | about an hour |
| base | 5 M | one GPU, or a TPU v5e-4 | hours |
| large | 40 M | 8 GPUs, or a TPU v5e-32 | a day |
"""

import ml_collections

from speedflow.training.config import default_training

# coarse, fine, shots per batch, crop, steps, learning rate
_VARIANTS = {
  "smoke": ((4, 4, 4), (4, 4, 4), 2, 32, 2, 1e-3),
  "tiny": ((40, 64, 80), (24, 32, 48), 4, 96, 5_800, 1.5e-3),
  "base": ((128, 192, 256), (64, 96, 128), 64, 192, 100_000, 5e-4),
  "large": ((256, 512, 768), (128, 192, 256), 256, 256, 300_000, 3e-4),
}


def get_config(variant: str = "tiny") -> ml_collections.ConfigDict:
  """Returns the configuration of one variant."""
  if variant not in _VARIANTS:
    raise ValueError(f"variant {variant!r} is none of {', '.join(_VARIANTS)}")
  coarse, fine, shots, crop, steps, rate = _VARIANTS[variant]
  large = variant in ("base", "large")

  config = default_training()
  config.experiment = "temporal_superres"
  config.num_steps = steps
  config.batch_size = shots
  config.compute_dtype = "bfloat16" if large else "float32"
  config.ema_decay = 0.998
  config.optimizer.learning_rate = rate
  config.optimizer.warmup_steps = min(100, steps // 5)
  config.optimizer.final_fraction = 0.01
  config.optimizer.weight_decay = 1e-3
  config.log_every = min(50, steps)
  config.eval_every = min(1_000, steps)
  config.checkpoint_every = min(500, steps)
  config.checkpoint.best_metric = "selection"

  # Weights to start from, shipped or a file; "": random ones.
  config.initial = ""
  config.model = ml_collections.ConfigDict()
  config.model.coarse = coarse
  config.model.fine = fine

  config.loss = ml_collections.ConfigDict()
  # Pixels at the border of a crop that do not count.
  config.loss.border = 8
  # Weight of the error's gradients beside its values.
  config.loss.gradients = 0.5
  # Errors (0..1) below this hardly count.
  config.loss.floor = 3e-3
  # Weight of the uncertainty's likelihood.
  config.loss.uncertainty = 0.1

  config.data = ml_collections.ConfigDict()
  # Folder of shot records.
  config.data.records = "records/clips"
  config.data.crop = crop
  config.data.crops = 2
  config.data.blurred = 0.1
  config.data.blurred_slow = 0.7
  # Share of calculated scenes, and of blurred ones among them.
  config.data.scenes = 0.25
  config.data.blurred_scenes = 0.8
  config.data.unknown = 0.3
  # Chance that a frame beside the two is not there.
  config.data.alone = 0.1
  config.data.smallest = 0.6
  config.data.workers = 0
  config.data.threads = 1

  # Shots, and scenes, of the evaluation while training; not all are busy.
  config.eval_windows = 6 if variant == "smoke" else 24
  return config
