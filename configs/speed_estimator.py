"""The speed estimator: how fast does a video play?

  speedflow train --config=configs/speed_estimator.py:tiny --workdir=runs/tiny

Motion records are wanted first: `make records SPEEDFLOW_DATA=FOLDER` writes
them to records/motion.

| variant | parameters | hardware | time |
|---|---|---|---|
| smoke | 0.02 M | anything | seconds |
| quick | 0.1 M | 2 CPU cores | minutes |
| trial | 0.2 M | 2 CPU cores | minutes; for trying ideas by `folds.py` |
| tiny | 0.4 M | 1 CPU core | 25 minutes |
| tiny-finish | the same | goes on from `tiny` | 10 minutes more |
| tiny-robust | the same | goes on from `tiny-finish` | 10 minutes more |
| tiny-looks | the same | goes on from `tiny-robust` | 10 minutes more |
| tiny-more | the same | goes on from weights in a file | 10 minutes |
| base | 7 M | a TPU v5e-4; elsewhere `--config.mesh.fsdp=1` | not trained yet |
| base-gpu | the same | one GPU, by `make gpu-base` | minutes; not trained yet |
| large | 107 M | TPU v5e-4 and up, or 8 GPUs | not trained yet |
"""

import ml_collections

from speedflow.training.config import default_training

# width, dilations, hidden, groups per batch, steps, learning rate
_VARIANTS = {
  "smoke": (8, (1,), 16, 4, 2, 1e-3),
  "quick": (32, (1, 2, 4), 64, 16, 600, 3e-3),
  "trial": (48, (1, 2, 4), 96, 16, 1_500, 3e-3),
  "tiny": (64, (1, 2, 4), 128, 16, 5_000, 2e-3),
  "tiny-finish": (64, (1, 2, 4), 128, 16, 7_000, 2e-3),
  "tiny-robust": (64, (1, 2, 4), 128, 16, 9_000, 2e-3),
  "tiny-looks": (64, (1, 2, 4), 128, 16, 11_000, 2e-3),
  "tiny-more": (64, (1, 2, 4), 128, 16, 600, 1e-3),
  "base": (256, (1, 2, 4, 8), 512, 256, 20_000, 1e-3),
  "base-gpu": (256, (1, 2, 4, 8), 512, 256, 3_000, 1e-3),
  "large": (1024, (1, 2, 4, 8), 2048, 2048, 50_000, 5e-4),
}


def get_config(variant: str = "tiny") -> ml_collections.ConfigDict:
  """Returns the configuration of one variant."""
  if variant not in _VARIANTS:
    raise ValueError(f"variant {variant!r} is none of {', '.join(_VARIANTS)}")
  width, dilations, hidden, groups, steps, rate = _VARIANTS[variant]
  large = variant in ("base", "large")

  config = default_training()
  config.experiment = "speed_estimator"
  config.num_steps = steps
  config.batch_size = groups
  config.compute_dtype = (
    "bfloat16" if large or variant == "base-gpu" else "float32"
  )
  config.ema_decay = 0.998
  config.optimizer.learning_rate = rate
  config.optimizer.warmup_steps = min(200, steps // 5)
  config.optimizer.final_fraction = 0.02
  config.optimizer.weight_decay = 2e-2
  config.log_every = min(100, steps)
  config.eval_every = min(1_000, steps)
  config.checkpoint_every = min(1_000, steps)
  config.checkpoint.best_metric = "selection"
  if variant == "large":
    # So that the smallest slice, v5e 2x2, holds it too.
    config.microbatches = 4
  if large:
    config.mesh.fsdp = 4
    config.sharding = (
      ("(mix|out|gather|hidden)/kernel", "fsdp"),
      *tuple(config.sharding),
    )

  config.model = ml_collections.ConfigDict()
  config.model.width = width
  config.model.patch = 4
  config.model.dilations = dilations
  config.model.hidden = hidden
  config.model.statistics = True
  config.model.bins = 41
  config.model.low = -6.0
  config.model.high = 4.0
  config.model.dropout = 0.2
  config.model.remat = variant == "large"

  # Name or file of weights that training goes on from; "": from none.
  config.start_from = ""

  config.loss = ml_collections.ConfigDict()
  # Standard deviation of the target distribution, octaves.
  config.loss.label_width = 0.35
  # Weight of the equivariance term.
  config.loss.equivariance = 0.3

  config.data = ml_collections.ConfigDict()
  # Folder of motion records.
  config.data.records = "records/motion"
  # Folder of motion records of procedural scenes, and their share of the
  # groups; see experiments/speed_estimator/README.md for what they are worth.
  config.data.procedural = "records/procedural_motion"
  config.data.procedural_share = 0.0
  # Folder of motion records of slow motion made by interpolation, and their
  # share of the groups; see the README for what it is worth.
  config.data.interpolated = "records/interpolated_motion"
  config.data.interpolated_share = 0.0
  # Maps (frames - 1) of the longest window.
  config.data.maps = 47
  config.data.balance = 0.5
  # Repositories that training does not see; see `folds.py`.
  config.data.leave_out = ()
  config.data.flow_scale = 0.5
  config.data.intensity_scale = 0.4
  config.data.cut = 0.3
  config.data.reverse = 0.3
  # Share of clips into which patches of another of the same step are put.
  config.data.mix = 0.5
  # (longest stride, weight): extreme speeds are rarer in the wild, and their
  # records short.
  config.data.stride_weights = ((4, 1.0), (8, 0.7), (32, 0.35))
  # Chance that a window gets a camera's noise and a codec's jolts.
  config.data.disturb = 0.0
  # Chance that the two clips of a group were filmed by different cameras and
  # encoders: the same shot in two looks.
  config.data.other_look = 0.0
  config.data.anchored = True
  config.data.workers = 0

  if variant in ("tiny-robust", "tiny-looks"):
    # Goes on where `tiny-finish` ended: other cameras and codecs.
    config.data.disturb = 0.5
  if variant == "tiny-looks":
    # Goes on where `tiny-robust` ended: one shot by two cameras.
    config.data.other_look = 0.5
  if variant in ("tiny-finish", "tiny-robust", "tiny-looks"):
    # Goes on where `tiny` ended, in the same folder: ordinary speeds, short
    # windows and less disguise, at the low end of the learning rate.
    config.data.stride_weights = ((1, 1.0), (2, 0.8), (4, 0.5), (32, 0.15))
    config.data.cut = 0.5
    config.data.flow_scale = 0.3
    config.data.intensity_scale = 0.25

  if variant == "tiny-more":
    # Goes on with new sources, from the weights named by `start_from`; small
    # repositories count for more.
    config.data.balance = 0.25
    config.data.disturb = 0.5
    config.data.other_look = 0.5
    config.eval_every = config.checkpoint_every = 300

  if variant == "base-gpu":
    # From nothing, at once with all that the tiny one learnt one after the
    # other. Twenty times its parameters for as few sources: more dropout and
    # decay, and validation often says which checkpoint is best.
    config.data.balance = 0.25
    config.data.disturb = 0.5
    config.data.other_look = 0.5
    config.data.cut = 0.5
    config.model.dropout = 0.3
    config.optimizer.weight_decay = 1e-1
    config.eval_every = config.checkpoint_every = 250

  # Window lengths, in frames, of the evaluation while training.
  config.eval_frames = (16,) if variant == "smoke" else (16, 32, 48)
  return config
