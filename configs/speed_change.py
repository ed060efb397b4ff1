"""The speed-change detector: when does the speed of a video change?

  speedflow train --config=configs/speed_change.py:tiny --workdir=runs/change

Records of pairs are wanted first: `make changes SPEEDFLOW_DATA=FOLDER` writes
them to records/changes.

| variant | parameters | hardware | time |
|---|---|---|---|
| smoke | 0.01 M | anything | seconds |
| tiny | 0.1 M | one CPU core | 12 minutes |
| tiny-more | the same | goes on from shipped weights, or others | 5 minutes |
| base | 1.5 M | one GPU, or a TPU v5e-4 | not trained yet |
| large | 24 M | TPU v5e-4 and up, or 8 GPUs | not trained yet |
"""

import ml_collections

from speedflow.training.config import default_training

# width, records per batch, steps, learning rate
_VARIANTS = {
  "smoke": (8, 2, 2, 1e-3),
  "tiny": (32, 4, 6_000, 3e-3),
  "tiny-more": (32, 4, 1_200, 1e-3),
  "base": (128, 64, 20_000, 1e-3),
  "large": (512, 512, 50_000, 5e-4),
}


def get_config(variant: str = "tiny") -> ml_collections.ConfigDict:
  """Returns the configuration of one variant."""
  if variant not in _VARIANTS:
    raise ValueError(f"variant {variant!r} is none of {', '.join(_VARIANTS)}")
  width, records, steps, rate = _VARIANTS[variant]
  large = variant in ("base", "large")

  config = default_training()
  config.experiment = "speed_change"
  # Weights to begin with: a name, or a file that `eval --export` wrote.
  config.initial = ""
  config.num_steps = steps
  config.batch_size = records
  config.compute_dtype = "bfloat16" if large else "float32"
  config.ema_decay = 0.998
  config.optimizer.learning_rate = rate
  config.optimizer.warmup_steps = min(200, steps // 5)
  config.optimizer.final_fraction = 0.02
  config.optimizer.weight_decay = 2e-2
  config.log_every = min(100, steps)
  config.eval_every = min(1_000, steps)
  config.checkpoint_every = min(1_000, steps)
  config.checkpoint.best_metric = "average_precision"
  config.checkpoint.best_mode = "max"
  if large:
    config.mesh.fsdp = 4
    config.sharding = (
      ("(mix|out|gather|hidden)/kernel", "fsdp"),
      *tuple(config.sharding),
    )

  config.model = ml_collections.ConfigDict()
  config.model.width = width
  config.model.patch = 4
  config.model.patch_dilations = (1, 2, 4)
  config.model.picture_dilations = (1, 2, 4, 8)
  config.model.dropout = 0.1

  config.loss = ml_collections.ConfigDict()
  # Weight of the ratio, beside that of the moment, 1.
  config.loss.ratio = 0.2

  config.data = ml_collections.ConfigDict()
  # Folder of pair records.
  config.data.records = "records/changes"
  # Maps (frames - 1) of the longest window.
  config.data.maps = 48
  # As in configs/speed_estimator.py.
  config.data.balance = 0.5
  # Repositories that training does not see.
  config.data.leave_out = ()
  config.data.workers = 0
  config.data.sampler = ml_collections.ConfigDict()
  config.data.sampler.windows = 4
  config.data.sampler.flow_scale = 0.5
  config.data.sampler.intensity_scale = 0.4
  config.data.sampler.noise = 0.1
  config.data.sampler.events = 0.08
  config.data.sampler.held = 0.1
  config.data.sampler.often_fast = True
  config.data.sampler.busy = 0.5
  config.data.sampler.lively = 0.8
  config.data.sampler.disturb = 0.0

  if variant == "tiny-more":
    # Goes on with new sources; small repositories count for more.
    config.initial = "tiny"
    config.data.balance = 0.25
    config.data.sampler.disturb = 0.5
    config.eval_every = config.checkpoint_every = 500
  return config
