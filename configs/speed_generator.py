"""The generator: video from a first frame, at the speed that is asked for.

  speedflow train --config=configs/speed_generator.py:tiny --workdir=runs/gen

Where the points of real shots go is followed first:
`python -m experiments.speed_generator.tracks records/clips records/tracks`.
Without, `--config.data.mix.shots=0` trains on calculated worlds alone.

| variant | parameters | points x moments | hardware | time |
|---|---|---|---|---|
| smoke | 0.02 M | 16 x 16 x 8 | anything | seconds |
| tiny | 2.4 M | 16 x 16 x 16 | 1 CPU core | half an hour |
| base | 130 M | 16 x 16 x 16 | one GPU | a day |
| large | 900 M | 16 x 16 x 32 | TPU v5e-64 and up | days |
| stream | 0.6 M | 16 x 16 x 16, causal | 1 CPU core | minutes |
"""

import ml_collections

from speedflow.training.config import default_training

# knots, chunk, width, sight, depth, heads, batch, steps, learning rate
_VARIANTS = {
  "smoke": (8, 4, 16, 1, 1, 2, 4, 2, 1e-3),
  "tiny": (16, 16, 128, 3, 2, 4, 16, 6_000, 1e-3),
  "base": (16, 4, 768, 4, 12, 12, 256, 200_000, 3e-4),
  "large": (32, 4, 1536, 4, 24, 24, 1024, 400_000, 1e-4),
  # Goes on and on; learns from mover scenes alone, to show that it works.
  "stream": (16, 4, 64, 2, 2, 4, 16, 700, 2e-3),
}


def get_config(variant: str = "tiny") -> ml_collections.ConfigDict:
  """Returns the configuration of one variant."""
  if variant not in _VARIANTS:
    raise ValueError(f"variant {variant!r} is none of {', '.join(_VARIANTS)}")
  knots, chunk, width, sight, depth, heads, batch, steps, rate = _VARIANTS[
    variant
  ]
  big = variant in ("base", "large")

  config = default_training()
  config.experiment = "speed_generator"
  config.num_steps = steps
  config.batch_size = batch
  config.compute_dtype = "bfloat16" if big else "float32"
  config.ema_decay = 0.9999 if big else 0.998
  config.optimizer.learning_rate = rate
  config.optimizer.warmup_steps = min(5_000 if big else 100, steps // 5)
  config.optimizer.final_fraction = 0.02
  config.optimizer.weight_decay = 1e-2
  config.log_every = min(50, steps)
  config.eval_every = min(10_000 if big else 6_000, steps)
  config.checkpoint_every = min(5_000 if big else 250, steps)
  if big:
    config.mesh.fsdp = 8 if variant == "large" else 1
    config.sharding = (
      ("(inside|out|expand|contract|modulation)/kernel", "fsdp"),
      *tuple(config.sharding),
    )

  config.model = ml_collections.ConfigDict()
  # Points along each side of a token, and moments in it.
  config.model.patch = 2
  config.model.chunk = chunk
  config.model.width = width
  # Convolutions over the tokens' places that look at the picture.
  config.model.sight = sight
  config.model.depth = depth
  config.model.heads = heads
  config.model.mlp = 4 if big else 2
  # How the speed is told: "fourier" (a number), "buckets" (the paper's
  # log-spaced classes) or "none" (the baseline).
  config.model.speed = "fourier"
  # Whether each moment's own step and world time are told, for ramps.
  config.model.frame_speed = True
  config.model.causal = variant == "stream"
  config.model.buckets = 8
  config.model.low = -4.0
  config.model.high = 3.0
  # Unit of trajectories, sides of the picture per second, and their standard
  # deviation in it.
  config.model.velocity = 0.5
  config.model.deviation = 0.3
  config.model.attention = ""
  config.model.remat = big

  config.loss = ml_collections.ConfigDict()
  # Times of the flow: "logit_normal" or "uniform".
  config.loss.times = "logit_normal"
  config.loss.time_shift = -3.0
  # How much less clips count the more moves in them: 0 for all alike.
  config.loss.calm = 1.0
  # What a causal network learns beside: a "noisy" history, or a "clean" one.
  config.loss.history = "noisy"
  # Chances that the first frame, and the speed, are left out.
  config.loss.drop_image = 0.1
  config.loss.drop_speed = 0.1

  config.data = ml_collections.ConfigDict()
  # Folder of tracks.
  config.data.records = "records/tracks"
  # Folder of tracks of mined shots, whose speeds are estimates.
  config.data.mined = "records/mined"
  # A CSV of weights by record, such as `speedflow attribute` writes; "" draws
  # all of them alike.
  config.data.selection = ""
  # How often each kind of source is drawn from, relative to the others.
  config.data.mix = ml_collections.ConfigDict()
  config.data.mix.mover = 0.6
  config.data.mix.physics = 0.1
  config.data.mix.shots = 0.3 if variant != "smoke" else 0.0
  config.data.mix.mined = 0.0
  if variant == "stream":
    config.data.mix.physics = config.data.mix.shots = 0.0
  # Moments after the first frame of which the network gives displacements.
  config.data.knots = knots
  # Slowest and fastest log2 step (seconds between knots x 30).
  config.data.low = -4.0
  config.data.high = 2.25
  # Share of clips whose speed changes.
  config.data.ramps = 0.3
  config.data.workers = 0
  config.data.threads = 16 if big else 1

  # Evaluation while training.
  config.eval = ml_collections.ConfigDict()
  config.eval.clips = 16 if variant != "smoke" else 2
  config.eval.scenes = 12 if variant != "smoke" else 2
  config.eval.speeds = (0.125, 0.5, 1.0, 4.0 if variant != "smoke" else 2.0)
  config.eval.steps = 12 if variant != "smoke" else 2
  return config
