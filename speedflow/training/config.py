"""Training configurations: the loop's fields, and reading a config file."""

import pathlib
from collections.abc import Sequence

import ml_collections
from absl import flags
from ml_collections import config_flags

from speedflow import errors


def default_training() -> ml_collections.ConfigDict:
  """Every field that the training loop reads, with its default.

  A config file starts from these, and adds `model` and `data` fields (or any
  others) of its own, which only its experiment reads:

      def get_config(arg: str = "tiny") -> ml_collections.ConfigDict:
        config = default_training()
        config.experiment = "speed_estimator"
        config.num_steps = 20_000
        config.model = ml_collections.ConfigDict({"width": 64})
        return config

  Returns:
    The fields, each explained beside its value below.
  """
  config = ml_collections.ConfigDict()

  # The folder experiments/<experiment>/ that holds experiment.py; a dotted
  # name is a module elsewhere.
  config.experiment = ""
  # Seeds the parameters, the order of the data and the loss's randomness.
  config.seed = 0
  # Updates of the parameters in the whole run.
  config.num_steps = 1_000
  # Examples per update, over all processes and devices together.
  config.batch_size = 32
  # Gradient accumulation: each update runs this many passes over
  # batch_size / microbatches examples, in the memory of one.
  config.microbatches = 1
  # What the networks compute in ("float32" or "bfloat16"); read by the
  # experiment. Parameters and optimizer state are always float32.
  config.compute_dtype = "float32"
  # Decay per update of the averaged parameters that are evaluated and
  # shipped; 0 averages nothing. The decay warms up as (1 + n) / (10 + n).
  config.ema_decay = 0.999

  # AdamW. The learning rate rises linearly for warmup_steps, then falls along
  # a half cosine to final_fraction of its peak (1.0 keeps it constant).
  config.optimizer = ml_collections.ConfigDict()
  config.optimizer.learning_rate = 1e-3
  config.optimizer.warmup_steps = 100
  config.optimizer.final_fraction = 0.0
  config.optimizer.b1 = 0.9
  config.optimizer.b2 = 0.99
  config.optimizer.eps = 1e-8
  # Decoupled weight decay, on parameters of two or more dimensions only.
  config.optimizer.weight_decay = 1e-2
  # Largest global norm of the gradient; 0 clips nothing.
  config.optimizer.clip_norm = 1.0

  # Devices per mesh axis; -1 takes all that the others leave. Parameters that
  # "fsdp" splits are split over "context", too, but examples are not: over it,
  # Wan's tokens are, of which one example has many.
  config.mesh = ml_collections.ConfigDict()
  config.mesh.data = -1
  config.mesh.fsdp = 1
  config.mesh.context = 1
  # (regex, rule) pairs over the paths of the train state, such as
  # "params/head/kernel" or "opt_state/1/mu/head/kernel"; the first regex that
  # is found anywhere in the path wins. Rules: "replicate"; "fsdp", which
  # splits the largest axis that the fsdp mesh axis divides; or one mesh axis
  # or "" per dimension, such as ("", "fsdp").
  config.sharding = ((".*", "replicate"),)
  # "fsdp" leaves arrays with fewer elements than this whole.
  config.fsdp_min_size = 2**14

  # Steps between lines of metrics, evaluations and checkpoints. The last two
  # happen at the end of the run too; 0 leaves only that one.
  config.log_every = 50
  config.eval_every = 1_000
  config.checkpoint_every = 1_000
  # The split that Experiment.evaluate reads; `speedflow eval` sets it.
  config.eval_split = "val"

  # The newest `keep` checkpoints stay, and the best `keep_best` by
  # `best_metric`, a key of the evaluation; "" turns this off. With it, every
  # evaluation is followed by a checkpoint.
  config.checkpoint = ml_collections.ConfigDict()
  config.checkpoint.keep = 2
  config.checkpoint.keep_best = 1
  config.checkpoint.best_metric = ""
  config.checkpoint.best_mode = "min"

  # After so many minutes, the start among them, the run saves, stops and says
  # that it can go on; 0: never. An evaluation that is due is made first.
  config.stop_after_minutes = 0.0

  # A profile of `num_steps` steps from `start_step` of this process on, in
  # WORKDIR/profile, for `tensorboard --logdir`; 0 steps: none.
  config.profile = ml_collections.ConfigDict()
  config.profile.start_step = 10
  config.profile.num_steps = 0

  # Compiled programs are kept here from run to run; "" keeps none.
  config.compilation_cache = "~/.cache/speedflow/xla"
  # Whether the processes of one run join: "auto" where there are several
  # (Cloud TPU slice, Slurm, Open MPI, JAX_COORDINATOR_ADDRESS), "on", "off".
  config.distributed = "auto"
  return config


def load_config(
  spec: str, overrides: Sequence[str] = ()
) -> ml_collections.ConfigDict:
  """Reads a configuration.

  Args:
    spec: "configs/NAME.py" or "configs/NAME.py:ARG"; ARG is what the file's
      `get_config` is called with. A path that the current folder does not
      have is looked for beside the speedflow package.
    overrides: such as "--config.optimizer.learning_rate=3e-4"; a value takes
      the type of the field that it replaces.

  Returns:
    The configuration, locked: a misspelt field is an error.

  Raises:
    SpeedflowError: there is no such file, field or variant, or a value has
      the wrong type.
  """
  path, colon, arg = spec.partition(":")
  if not pathlib.Path(path).exists():
    installed = pathlib.Path(__file__).parents[2] / path
    if not installed.exists():
      raise errors.SpeedflowError(
        f"{path}: no such config file; give one such as "
        "--config=configs/speed_estimator.py:tiny"
      )
    path = str(installed)
  argv = ["speedflow", f"--config={path}{colon}{arg}", *overrides]
  # Flags of its own, so that tests and notebooks can load many configs.
  values = flags.FlagValues()
  holder = config_flags.DEFINE_config_file(
    "config", flag_values=values, sys_argv=argv
  )
  try:
    rest = values(argv)
  except (flags.Error, ValueError, TypeError, KeyError, AttributeError) as e:
    # Some of these are printed KeyErrors, with quotes and escapes.
    said = str(e).replace("\\n", "\n").replace("\\", "").strip()
    if "Traceback" in said:
      # What the file itself raised stands at the end, after its type.
      said = said.splitlines()[-1].strip().partition(": ")[2] or said
    reason = " ".join(said.split())
    if isinstance(e, KeyError | AttributeError):
      name, quote, more = reason.strip("\"'").partition("'")
      reason = f"no such field: {name}{quote and '.'}{more}"
    raise errors.SpeedflowError(
      f"{spec}: {reason}; fields and variants are listed in {path}"
    ) from e
  if len(rest) > 1:
    raise errors.SpeedflowError(
      f"{spec}: unexpected argument {rest[1]!r}; overrides look like "
      "--config.num_steps=100"
    )
  return holder.value
