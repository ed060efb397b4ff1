"""A small generator of known motions, to be trained again and again.

  python -m experiments.motion_attribution.families records/families
  speedflow train --config=configs/motion_attribution.py:tiny --workdir=DIR

It learns from pictures of 32 pixels, so that leaving clips out and training
anew is affordable. It is the generator of `configs/speed_generator.py` but for
the sizes here.

| variant | parameters | hardware | time |
|---|---|---|---|
| smoke | 0.02 M, on movers | anything | seconds |
| tiny | 0.7 M | 1 CPU core | a minute |
| base | 6 M | 1 CPU core | ten minutes |
| large | 38 M | one GPU | minutes |
"""

import ml_collections

from configs import speed_generator

# width, depth, heads, batch, steps, learning rate
_VARIANTS = {
  "tiny": (64, 2, 4, 16, 600, 2e-3),
  "base": (160, 6, 5, 32, 2_000, 1e-3),
  "large": (384, 8, 8, 64, 5_000, 5e-4),
}


def get_config(variant: str = "tiny") -> ml_collections.ConfigDict:
  """Returns the configuration of one variant."""
  if variant == "smoke":
    return speed_generator.get_config("smoke")
  if variant not in _VARIANTS:
    raise ValueError(
      f"variant {variant!r} is none of smoke, {', '.join(_VARIANTS)}"
    )
  width, depth, heads, batch, steps, rate = _VARIANTS[variant]
  config = speed_generator.get_config("tiny")
  config.num_steps = steps
  config.batch_size = batch
  config.ema_decay = 0.99
  config.optimizer.learning_rate = rate
  config.optimizer.warmup_steps = 50
  config.eval_every = steps
  config.checkpoint_every = steps

  config.model.image = 32
  config.model.patch = 4
  config.model.width = width
  config.model.depth = depth
  config.model.heads = heads

  config.data.records = "records/families"
  config.data.mix.mover = 0.0
  config.data.mix.physics = 0.0
  config.data.mix.shots = 1.0
  # Clips of 0.27 to 1.3 s of the world.
  config.data.low = -1.0
  config.data.high = 1.25
  config.data.ramps = 0.1

  config.eval.scenes = 2
  config.eval.speeds = (0.5, 1.0)
  config.eval.steps = 4
  return config
