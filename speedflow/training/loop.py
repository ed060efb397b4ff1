"""The training loop. Reads top to bottom; the order of events is below.

At every step, in this order:
  1. log      means since the last log; a value that is not finite stops here
  2. evaluate the averaged parameters
  3. save     the state and the place in the data
  4. stop     at the last step, when the machine is about to be taken, or when
              the time that was given is over
  5. pull     the next batch
  6. update   the parameters
Everything is saved *before* the next batch is pulled. So a checkpoint of step
n has seen exactly n batches, and a run that is killed and resumed ends in the
same bits as one that never was.
"""

import contextlib
import os
import pathlib
import signal
import threading
import time
from collections.abc import Callable, Iterator

import jax
import ml_collections
import numpy as np
from absl import flags
from jax.experimental import multihost_utils

from speedflow import errors
from speedflow.output import atomic, claims, marks
from speedflow.training import experiment as experiment_lib
from speedflow.training import metrics as metrics_lib
from speedflow.training import program_cost, run_record, sharding
from speedflow.training.checkpoint import Checkpointer
from speedflow.training.state import TrainState
from speedflow.training.step import TrainProgram

# Updates that may be under way while the next batch is prepared.
_STEPS_AHEAD = 2


class PreemptedError(errors.SpeedflowError):
  """The machine or the time was taken; all is saved, and the run can go on."""


def train(
  config: ml_collections.ConfigDict,
  workdir: str | pathlib.Path,
  *,
  overwrite: bool = False,
) -> dict[str, float]:
  """Trains, or goes on from the newest checkpoint in the folder.

  Args:
    config: see `speedflow.training.config.default_training`.
    workdir: the run's folder: checkpoints/, metrics.jsonl, tensorboard/ and
      run.json. Every process of a run sees the same one; two runs at once are
      refused.
    overwrite: whether to replace files there that speedflow did not make.

  Returns:
    The last metrics: "train/..." and, by split, those of the evaluation.

  Raises:
    SpeedflowError: a configuration, checkpoint or batch that does not fit, or
      a loss that is no longer finite.
    PreemptedError: SIGTERM or the cluster asked to stop, or
      `config.stop_after_minutes` are over, and all is saved.
  """
  with claims.claim(
    "train",
    folders=[workdir],
    overwrite=overwrite,
    part=(jax.process_index(), jax.process_count()),
  ):
    return _train(config, pathlib.Path(workdir))


def _train(
  config: ml_collections.ConfigDict, workdir: pathlib.Path
) -> dict[str, float]:
  # -- Experiment, devices, program ------------------------------------------
  over = _time_limit(config)
  _prepare_libraries(config)
  main_process = jax.process_index() == 0
  experiment = experiment_lib.load_experiment(config)
  program = TrainProgram(experiment, config, sharding.make_mesh(config))
  data = iter(
    experiment.dataset(
      "train",
      seed=config.seed,
      process_index=jax.process_index(),
      process_count=jax.process_count(),
    )
  )

  # -- State: from the checkpoint, or new ------------------------------------
  checkpointer = Checkpointer(workdir / "checkpoints", config)
  first_step = checkpointer.latest_step or 0
  if first_step:
    state = checkpointer.restore(program.abstract_state, data)
  else:
    state = program.init()
  step = first_step

  # -- Compilation, ahead of the first batch ---------------------------------
  started = time.perf_counter()
  traced = program.trace_step()
  train_step = traced.lower().compile()
  compile_seconds = time.perf_counter() - started

  # -- Where the run reports to ----------------------------------------------
  record = writer = None
  if main_process:
    record = run_record.RunRecord(
      workdir,
      config,
      first_step,
      experiment.data_fingerprint()
      if isinstance(experiment, experiment_lib.NamesData)
      else "",
    )
    record.update(
      params=sum(leaf.size for leaf in jax.tree.leaves(state.params)),
      compile_seconds=round(compile_seconds, 1),
      flops_per_step=program_cost.flops(traced.jaxpr.jaxpr),
    )
    writer = metrics_lib.MetricWriter(workdir, first_step)
  progress = metrics_lib.Progress(
    config.num_steps, first_step, shown=main_process
  )
  clock = metrics_lib.Clock()
  profiler = _Profiler(config.profile, workdir / "profile", first_step)
  scalars: dict[str, float] = {}
  pending: list[dict[str, jax.Array]] = []
  status = "failed"

  # -- The loop --------------------------------------------------------------
  with contextlib.ExitStack() as stack:
    if record:
      # Late, so that it sees how the run ended.
      finish = record.finish
      stack.callback(lambda: finish(status, step, scalars))
    if writer:
      stack.callback(writer.close)
    stack.callback(checkpointer.close)
    stack.callback(profiler.stop)
    stack.enter_context(progress)
    terminated = stack.enter_context(_termination())
    progress.log(
      f"{workdir}: step {first_step} of {config.num_steps}, on "
      f"{jax.device_count()} x {jax.devices()[0].device_kind}, compiled in "
      f"{compile_seconds:.1f} s"
    )

    while True:
      fresh = step > first_step
      last = step >= config.num_steps
      preempted = terminated() or checkpointer.reached_preemption(step)
      # A step at least is made, or a run whose start takes long would never
      # go on.
      over_time = fresh and not last and over(step)
      evaluating = last or (
        fresh and not preempted and _due(step, config.eval_every)
      )
      saving = fresh and (
        last
        or preempted
        or over_time
        or _due(step, config.checkpoint_every)
        # Whatever is evaluated may prove the best.
        or (evaluating and bool(config.checkpoint.best_metric))
      )

      # 1. Log. Always before saving, so that no checkpoint holds a NaN.
      if pending and (evaluating or saving or _due(step, config.log_every)):
        train_scalars = _mean(pending)
        pace = clock.lap(len(pending))
        pending = []
        metrics_lib.require_finite(step, train_scalars, workdir)
        scalars |= {
          f"train/{name}": value
          for name, value in (train_scalars | pace).items()
        }
        if writer:
          writer.write(step, _only(scalars, "train/"))
        progress.report(step, train_scalars["loss"], pace)

      # 2. Evaluate.
      evaluated: dict[str, float] = {}
      if evaluating:
        with clock.paused():
          model = program.evaluation_model(state)
          evaluated = experiment.evaluate(model, progress.log)
        prefix = f"{config.eval_split}/"
        scalars |= {prefix + name: value for name, value in evaluated.items()}
        if writer:
          writer.write(step, _only(scalars, prefix))
        progress.log(f"step {step}: {_format(_only(scalars, prefix))}")

      # 3. Save.
      if saving:
        with clock.paused():
          checkpointer.save(step, state, data, evaluated)

      # 4. Stop.
      if last:
        status = "finished"
        break
      if preempted or over_time:
        status = "preempted"
        why = (
          "asked to stop"
          if preempted
          else f"{config.stop_after_minutes:g} minutes are over"
        )
        raise PreemptedError(
          f"{workdir}: {why}, saved at step {step}; run the same command "
          "again to go on"
        )

      # 5. Pull the next batch.
      with clock.waiting():
        local_batch = next(data, None)
      if local_batch is None:
        raise errors.SpeedflowError(
          f"the data ended after {step} of {config.num_steps} batches; repeat "
          "it without end in dataset()"
        )
      batch = sharding.global_batch(local_batch, program.abstract_batch)

      # 6. Update. All inputs are on the devices; a transfer would be a bug.
      profiler.before(step, state)
      with (
        jax.transfer_guard("disallow"),
        jax.profiler.StepTraceAnnotation("train", step_num=step),
      ):
        state, step_metrics = train_step(state, batch)
      pending.append(step_metrics)
      # Calls return before the devices are done. Not too long before, or
      # batches would pile up in their memory.
      if len(pending) > _STEPS_AHEAD:
        jax.block_until_ready(pending[-1 - _STEPS_AHEAD])
      step += 1
      progress.advance(step)
  return scalars


def evaluate(
  config: ml_collections.ConfigDict,
  workdir: str | pathlib.Path,
  split: str,
  *,
  step: int | None = None,
  best: bool = False,
  export: str | pathlib.Path | None = None,
  overwrite: bool = False,
) -> dict[str, float]:
  """Evaluates a checkpoint.

  Args:
    config: the configuration that trained it.
    workdir: the folder of the run.
    split: becomes `config.eval_split`.
    step: which checkpoint; the newest when None.
    best: whether, where no step is named, the best by
      `config.checkpoint.best_metric` takes the place of the newest.
    export: where the experiment writes the model's weights, if anywhere.
    overwrite: whether to replace a file there that is no such weights.

  Returns:
    What `Experiment.evaluate` returns.

  Raises:
    SpeedflowError: no such checkpoint, or one of another configuration.
  """
  config = config.copy_and_resolve_references()
  config.eval_split = split
  _prepare_libraries(config)
  experiment = experiment_lib.load_experiment(config)
  in_folder = isinstance(experiment, experiment_lib.ExportsFolder)
  if export is not None and in_folder:
    _require_new(pathlib.Path(export))
  program = TrainProgram(experiment, config, sharding.make_mesh(config))
  checkpointer = Checkpointer(
    pathlib.Path(workdir) / "checkpoints", config, read_only=True
  )
  if step is None and best:
    step = checkpointer.best_step
  state = checkpointer.restore(program.abstract_state, step=step)
  checkpointer.close()
  model = program.evaluation_model(state)
  if export is not None:
    if not isinstance(experiment, experiment_lib.Exports):
      raise errors.SpeedflowError(
        f"experiment {config.experiment!r} has no export(); leave --export out"
      )
    with contextlib.ExitStack() as stack:
      stack.enter_context(
        claims.claim(
          "eval", files={export: marks.is_weights}, overwrite=overwrite
        )
      )
      path = pathlib.Path(export)
      if in_folder:
        path = stack.enter_context(atomic.atomic_folder(path))
      experiment.export(model, path)
  progress = metrics_lib.Progress(0, 0, shown=jax.process_index() == 0)
  return experiment.evaluate(model, progress.log)


def _require_new(folder: pathlib.Path) -> None:
  """Refuses to mix what is exported with what is there already."""
  if os.path.lexists(folder):
    raise errors.SpeedflowError(
      f"{folder}: is there already; --export wants the name of a new folder "
      "here: name another, or remove this one"
    )


def _prepare_libraries(config: ml_collections.ConfigDict) -> None:
  # Grain reads absl flags, which nobody has parsed in notebooks and tests.
  if not flags.FLAGS.is_parsed():
    flags.FLAGS.mark_as_parsed()
  if config.compilation_cache:
    jax.config.update(
      "jax_compilation_cache_dir",
      str(pathlib.Path(config.compilation_cache).expanduser()),
    )


def _due(step: int, every: int) -> bool:
  return every > 0 and step % every == 0


def _time_limit(
  config: ml_collections.ConfigDict,
) -> Callable[[int], bool]:
  """Says at a step whether the time is over, from now on.

  The clocks of several processes differ: all go by that of the first, which
  they ask at steps that are logged, since they wait for each other then.
  """
  if not config.stop_after_minutes:
    return lambda step: False
  end = time.monotonic() + 60 * config.stop_after_minutes

  def over(step: int) -> bool:
    if jax.process_count() == 1:
      return time.monotonic() >= end
    if not _due(step, config.log_every):
      return False
    mine = np.array(time.monotonic() >= end)
    return bool(multihost_utils.broadcast_one_to_all(mine))

  return over


def _mean(pending: list[dict[str, jax.Array]]) -> dict[str, float]:
  """Means over steps, fetched from the devices in one go."""
  fetched = jax.device_get(pending)
  return {
    name: float(np.mean([metrics[name] for metrics in fetched]))
    for name in fetched[0]
  }


def _only(scalars: dict[str, float], prefix: str) -> dict[str, float]:
  return {k: v for k, v in scalars.items() if k.startswith(prefix)}


def _format(scalars: dict[str, float]) -> str:
  return ", ".join(f"{name} {value:.4g}" for name, value in scalars.items())


@contextlib.contextmanager
def _termination() -> Iterator[Callable[[], bool]]:
  """Turns SIGTERM into a question that the loop asks at every step."""
  received = threading.Event()
  # With several processes JAX listens to the signal and agrees on a common
  # last step; Python delivers signals to the main thread alone.
  if (
    jax.process_count() > 1
    or threading.current_thread() is not threading.main_thread()
  ):
    yield received.is_set
    return
  before = signal.signal(signal.SIGTERM, lambda *_: received.set())
  try:
    yield received.is_set
  finally:
    signal.signal(signal.SIGTERM, before)


class _Profiler:
  """Records `config.profile.num_steps` steps, for `tensorboard --logdir`."""

  def __init__(self, fields: ml_collections.ConfigDict, folder, first_step):
    self._folder = folder
    self._start = first_step + fields.start_step
    self._stop = self._start + fields.num_steps
    self._running = False

  def before(self, step: int, state: TrainState) -> None:
    """To be called before each update; starts and stops when it is time."""
    if step == self._start < self._stop:
      jax.profiler.start_trace(str(self._folder))
      self._running = True
    if step == self._stop:
      # Steps run behind the calls; the trace wants them whole.
      jax.block_until_ready(state)
      self.stop()

  def stop(self) -> None:
    """Writes what was recorded, if anything."""
    if self._running:
      jax.profiler.stop_trace()
      self._running = False
