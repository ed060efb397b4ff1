"""Checkpoints of the train state together with the place in the data."""

import pathlib
from typing import Any

import grain
import jax
import ml_collections
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from speedflow import errors
from speedflow.output import room
from speedflow.training import sharding
from speedflow.training import state as state_lib

# A checkpoint takes its own size, its metadata and, for a moment, a copy.
_ROOM, _MORE_ROOM = 1.5, 1 << 19


class Checkpointer:
  """Saves while training goes on; keeps the newest and the best.

  Args:
    folder: of the checkpoints, made when missing.
    config: `config.checkpoint` says which to keep.
    read_only: whether nothing is saved or removed.
  """

  def __init__(
    self,
    folder: pathlib.Path,
    config: ml_collections.ConfigDict,
    *,
    read_only: bool = False,
  ):
    self._folder = folder
    self._metric = config.checkpoint.best_metric
    keep: list[checkpoint_managers.PreservationPolicy] = [
      checkpoint_managers.LatestN(config.checkpoint.keep)
    ]
    if self._metric and config.checkpoint.keep_best:
      keep.append(
        checkpoint_managers.BestN(
          get_metric_fn=lambda metrics: metrics[self._metric],
          reverse=config.checkpoint.best_mode == "min",
          n=config.checkpoint.keep_best,
          keep_checkpoints_without_metrics=False,
        )
      )
    self._manager = ocp.CheckpointManager(
      folder.absolute(),
      options=ocp.CheckpointManagerOptions(
        # The loop decides when; it must not be second-guessed.
        save_decision_policy=checkpoint_managers.FixedIntervalPolicy(1),
        preservation_policy=checkpoint_managers.AnyPreservationPolicy(keep),
        # Without it Orbax keeps metrics in memory alone, and a run that goes
        # on would remove the best checkpoint of its earlier parts.
        best_fn=(lambda metrics: metrics[self._metric])
        if self._metric
        else None,
        best_mode=config.checkpoint.best_mode,
        # A run that only reads must not clear away what another is saving.
        cleanup_tmp_directories=not read_only,
        read_only=read_only,
      ),
      item_handlers={
        "state": ocp.StandardCheckpointHandler(),
        "data": grain.checkpoint.CheckpointHandler(),
      },
    )

  @property
  def latest_step(self) -> int | None:
    """The step of the newest whole checkpoint, None where there is none."""
    return self._manager.latest_step()

  @property
  def best_step(self) -> int | None:
    """The step of the best checkpoint, None where none was evaluated.

    The newest where `config.checkpoint.best_metric` is "".
    """
    return self._manager.best_step()

  def save(
    self,
    step: int,
    state: state_lib.TrainState,
    data: grain.DatasetIterator,
    metrics: dict[str, float],
  ) -> None:
    """Starts to save; returns as soon as the state may be overwritten.

    Args:
      step: the updates that made `state`, and the batches taken from `data`.
      state: the train state.
      data: this process's iterator.
      metrics: of the evaluation at this step; may be empty.

    Raises:
      SpeedflowError: the metrics lack `config.checkpoint.best_metric`; or the
        disk has no room.
    """
    # Asked before, since Orbax writes in threads that each tell their trouble.
    size = sum(
      shard.data.nbytes
      for leaf in jax.tree.leaves(state)
      for shard in leaf.addressable_shards
    )
    if room.free(self._folder) < _ROOM * size + _MORE_ROOM:
      raise errors.SpeedflowError(
        f"{self._folder}: no room for a checkpoint of {room.size(size)}; make "
        "room, and run the same command again: the last checkpoint is sound"
      )
    if self._metric and metrics and self._metric not in metrics:
      raise errors.SpeedflowError(
        f"config.checkpoint.best_metric is {self._metric!r}, but the "
        f"evaluation gave {', '.join(sorted(metrics))}; name one of these"
      )
    self._manager.save(
      step,
      args=ocp.args.Composite(
        state=ocp.args.StandardSave(state),
        data=grain.checkpoint.CheckpointSave(data),
      ),
      metrics=metrics or None,
    )

  def restore(
    self,
    like: state_lib.TrainState,
    data: grain.DatasetIterator | None = None,
    step: int | None = None,
  ) -> state_lib.TrainState:
    """Reads a checkpoint, straight onto the devices.

    Args:
      like: shapes, dtypes and shardings of the state; the sharding may differ
        from the one that was saved.
      data: an iterator to be put where the saved one was; None leaves the
        place in the data alone.
      step: which checkpoint; the newest when None.

    Raises:
      SpeedflowError: no checkpoint, one of another configuration, or (with
        `data`) of another number of processes.
    """
    step = self._manager.latest_step() if step is None else step
    if step is None:
      raise errors.SpeedflowError(
        f"{self._folder}: no checkpoint; train first, with the same --workdir"
      )
    folder = self._folder / str(step)
    self._check_fit(folder, self._manager.item_metadata(step).state.tree, like)
    items: dict[str, Any] = {"state": ocp.args.StandardRestore(like)}
    if data is not None:
      index, count = jax.process_index(), jax.process_count()
      if not (folder / "data" / f"process_{index}-of-{count}.json").exists():
        raise errors.SpeedflowError(
          f"{folder}: not saved by {count} processes; go on with as many as "
          "before, so that every example is seen once"
        )
      items["data"] = grain.checkpoint.CheckpointRestore(data)
    restored = self._manager.restore(step, args=ocp.args.Composite(**items))
    return restored.state

  def _check_fit(self, folder: pathlib.Path, saved: Any, like: Any) -> None:
    found = _shapes(saved)
    wanted = _shapes(like)
    for name in [*wanted, *found]:
      if found.get(name) != wanted.get(name):
        raise errors.SpeedflowError(
          f"{folder}: {name} is {found.get(name, 'absent')}, but the "
          f"configuration wants {wanted.get(name, 'no such array')}; use the "
          "configuration that wrote it, or another --workdir"
        )

  def reached_preemption(self, step: int) -> bool:
    """Whether this machine, or another of the run, is about to be taken."""
    return self._manager.reached_preemption(step)

  def close(self) -> None:
    """Waits until everything is saved."""
    self._manager.wait_until_finished()
    self._manager.close()


def _shapes(tree: Any) -> dict[str, str]:
  shapes = {}
  for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
    dtype = leaf.dtype
    # Keys are saved as their raw bits.
    if jax.dtypes.issubdtype(dtype, jax.dtypes.prng_key):
      leaf = jax.eval_shape(jax.random.key_data, leaf)
    shapes[sharding.path_name(path)] = f"{leaf.dtype}{list(leaf.shape)}"
  return shapes
