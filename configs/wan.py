"""Wan, conditioned on speed and on known frames.

  speedflow data latents records/clips records/latents --weights WAN
  speedflow train --config=configs/wan.py:14b --workdir=runs/wan \
    --config.start_from=WAN --config.pipeline=WAN

WAN is a folder of Wan as the library diffusers keeps it. With
`--config.adapter.rank=64`, low-rank matrices are trained and Wan itself is not.

| variant | parameters | clip | of | hardware |
|---|---|---|---|---|
| smoke | 0.02 M | 9 x 32 x 32 | a stand-in | anything, seconds |
| tiny | 1 M | 9 x 8 x 8 | pixels in place of latents | 1 CPU core |
| 1.3b | 1.4 B | 81 x 480 x 832 | Wan2.1 T2V, shown frames too | TPU v5e 4x4 |
| 5b | 5 B | 121 x 704 x 1280 | Wan2.2 TI2V, as well | TPU v5p 2x2x2 and up |
| 14b | 16 B | 81 x 480 x 832 | Wan2.1 I2V | TPU v5p 4x4x4, v6e 16x16 |
| a14b | 14 B | 81 x 480 x 832 | Wan2.2 I2V, one of its two | as 14b |

Only `smoke` and `tiny` were run where this was written; see
experiments/wan/README.md.
"""

import ml_collections

from speedflow.training.config import default_training

# A token of `tiny` holds 48 numbers of latents; of 192, through a width of 128,
# nothing was learnt: see experiments/wan/README.md.
# Heads, their features, hidden features of the MLP, blocks, channels of a
# latent, features of the text, sines of the time, features of the picture.
_NETWORKS = {
  "smoke": (2, 12, 32, 2, 4, 16, 16, 16),
  "tiny": (4, 32, 512, 4, 12, 16, 64, None),
  "1.3b": (12, 128, 8_960, 30, 16, 4_096, 256, None),
  "5b": (24, 128, 14_336, 30, 48, 4_096, 256, None),
  "14b": (40, 128, 13_824, 40, 16, 4_096, 256, 1_280),
  "a14b": (40, 128, 13_824, 40, 16, 4_096, 256, None),
}
# Frames, height and width of a clip, pixels along a side of a latent, tokens
# of a text, and of a picture.
_CLIPS = {
  "smoke": (9, 32, 32, 8, 8, 5),
  "tiny": (9, 8, 8, 1, 8, 0),
  "1.3b": (81, 480, 832, 8, 512, 0),
  "5b": (121, 704, 1_280, 16, 512, 0),
  "14b": (81, 480, 832, 8, 512, 257),
  "a14b": (81, 480, 832, 8, 512, 0),
}
# Clips in a batch, steps, learning rate.
_TRAINING = {
  "smoke": (4, 2, 1e-3),
  "tiny": (64, 3_000, 1e-3),
  "1.3b": (16, 10_000, 2e-5),
  "5b": (64, 10_000, 1e-5),
  "14b": (64, 10_000, 1e-5),
  "a14b": (64, 10_000, 1e-5),
}
_MASKS = 4


def get_config(variant: str = "tiny") -> ml_collections.ConfigDict:
  """Returns the configuration of one variant."""
  if variant not in _NETWORKS:
    raise ValueError(f"variant {variant!r} is none of {', '.join(_NETWORKS)}")
  heads, features, ffn, layers, z, text, sines, image = _NETWORKS[variant]
  frames, height, width, side, words, image_tokens = _CLIPS[variant]
  batch, steps, rate = _TRAINING[variant]
  big = variant not in ("smoke", "tiny")

  config = default_training()
  config.experiment = "wan"
  config.num_steps = steps
  config.batch_size = batch
  config.compute_dtype = "bfloat16" if big else "float32"
  # Of large ones an average would take their memory once more.
  config.ema_decay = 0.0 if big else 0.995
  config.optimizer.learning_rate = rate
  config.optimizer.warmup_steps = min(1_000 if big else 100, steps // 5)
  config.optimizer.final_fraction = 0.1
  config.log_every = min(50, steps)
  config.eval_every = min(1_000, steps)
  config.checkpoint_every = min(500, steps)
  if variant == "5b":
    # Of 8 chips, each holds one clip of 121 frames at a time.
    config.microbatches = 8
  if big:
    config.mesh.data = 1
    config.mesh.fsdp = -1
    config.sharding = ((".*", "fsdp"),)

  # Sizes of the transformer, as its `config.json` says; but for the channels
  # that go in, which are those of the latents, the mask, and what is known.
  config.model = ml_collections.ConfigDict()
  config.model.num_attention_heads = heads
  config.model.attention_head_dim = features
  config.model.in_channels = z + _MASKS + z
  config.model.out_channels = z
  config.model.text_dim = text
  config.model.freq_dim = sines
  config.model.ffn_dim = ffn
  config.model.num_layers = layers
  config.model.image_dim = image
  config.model.added_kv_proj_dim = heads * features if image else None
  # What is computed anew in the backward pass: "none", "dots" or "full".
  config.remat = "full" if big else "none"

  # How the speed is told: "fourier" (a number) or "buckets" (the paper's
  # log-spaced classes); and the log2 speeds of the outermost buckets.
  config.speed = ml_collections.ConfigDict()
  config.speed.speed = "fourier"
  config.speed.speed_buckets = 8
  config.speed.speed_low = -4.0
  config.speed.speed_high = 3.0
  # Whether latent frames are told how much of the world's time has passed, too.
  config.speed.speed_clock = variant == "tiny"

  # Low-rank matrices beside those that are named; rank 0: none, and all of
  # the network is trained.
  config.adapter = ml_collections.ConfigDict()
  config.adapter.rank = 0
  config.adapter.targets = ("to_q", "to_k", "to_v", "to_out")
  config.adapter.train_all = False

  # Folder of a pipeline whose transformer training goes on from; "": none.
  config.start_from = ""
  # Which of its transformers; Wan2.2's A14B has a "transformer_2", which makes
  # the less noisy steps. The other is exported as it was.
  config.part = "transformer"
  # Folder of the pipeline whose other parts are exported with it; "": that of
  # `start_from`.
  config.pipeline = "runs/wan_parts" if not big else ""

  config.loss = ml_collections.ConfigDict()
  # Moves the times towards the noise; Wan's own at 480p, 5 at 720p.
  config.loss.shift = 5.0 if variant == "5b" else 3.0

  config.data = ml_collections.ConfigDict()
  # Folder of latents, and what they are of.
  config.data.records = "records/latents"
  config.data.frames = frames
  config.data.height = height
  config.data.width = width
  config.data.scale_factor_spatial = side
  # Tokens of a text, and of a picture where the transformer is told one.
  config.data.words = words
  config.data.image_tokens = image_tokens
  # Chances that text, known frames, and speed are left out, each apart.
  config.data.drop_text = 0.1
  config.data.drop_known = 0.1
  config.data.drop_speed = 0.1
  config.data.workers = 0
  config.data.threads = 16 if big else 1

  # Held-out clips of the evaluation while training, so many at a time.
  config.eval = ml_collections.ConfigDict()
  config.eval.clips = {"smoke": 2, "tiny": 128}.get(variant, 32)
  config.eval.rows = {"smoke": 2, "tiny": 64}.get(variant, 1)
  return config
