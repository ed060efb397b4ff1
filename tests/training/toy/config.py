"""The toy's configuration."""

import ml_collections

from speedflow.training import config as config_lib


def get_config(arg: str = "small") -> ml_collections.ConfigDict:
  config = config_lib.default_training()
  config.experiment = "toy.experiment"
  config.num_steps = 6
  config.batch_size = 16
  config.log_every = 2
  config.eval_every = 3
  config.checkpoint_every = 2
  config.compilation_cache = ""
  config.fsdp_min_size = 0
  config.optimizer.warmup_steps = 2
  config.seconds_per_batch = 0.0
  config.model = ml_collections.ConfigDict()
  config.model.width = {"small": 16, "wide": 64}[arg]
  config.model.dropout = True
  config.model.batch_norm = True
  config.model.loss_scale = 1.0
  return config
