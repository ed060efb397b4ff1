"""What an experiment offers to the training loop."""

import importlib
import importlib.util
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import grain
import jax
import ml_collections
from flax import nnx

from speedflow import errors

# A tree of arrays whose first axis indexes independent examples. Clips that
# belong together, such as several speeds of one source, are one row.
Batch = Any


class Experiment(Protocol):
  """A model, its loss, its data and its evaluation.

  `experiments/<name>/experiment.py` holds one class named `Experiment` with
  these methods; it need not inherit from this one.

  Args:
    config: the whole configuration, locked.
  """

  def __init__(self, config: ml_collections.ConfigDict): ...

  def init_model(self, rngs: nnx.Rngs) -> nnx.Module:
    """Builds the model; called inside jit, so that it is born sharded."""
    ...

  def loss(
    self, model: nnx.Module, batch: Batch, rng: jax.Array
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The loss of one (micro-)batch; called inside jit.

    Args:
      model: the model, in training mode. Its non-parameter state, such as
        batch statistics, may change.
      batch: the batch, as device arrays.
      rng: a key that differs at every step, for dropout and the like.

    Returns:
      The scalar mean loss over the examples, and scalar metrics to be logged,
      which are means over the examples as well.
    """
    ...

  def dataset(
    self, split: str, *, seed: int, process_index: int, process_count: int
  ) -> grain.IterDataset:
    """An endless stream of NumPy batches for this process.

    Args:
      split: "train".
      seed: of the order and of all random transforms.
      process_index: this process's part of every batch.
      process_count: the number of parts; each has batch_size / process_count
        examples.
    """
    ...

  def batch_spec(self) -> Any:
    """Shape and dtype of each array of the *global* batch.

    Returns:
      The tree of a batch with a `jax.ShapeDtypeStruct` for each array: enough
      to compile the train step without data.
    """
    ...

  def evaluate(
    self, model: nnx.Module, log: Callable[[str], None]
  ) -> dict[str, float]:
    """Measures a model on the split `config.eval_split`.

    Every process calls this with the same parameters, as ordinary arrays on
    its own first device, and must return the same numbers.

    Args:
      model: the model with its averaged parameters, in evaluation mode.
      log: prints a line above the progress line.
    """
    ...


@runtime_checkable
class Exports(Protocol):
  """An experiment that ships weights; `speedflow eval --export=PATH`."""

  def export(self, model: nnx.Module, path: pathlib.Path) -> None:
    """Writes the weights of a model, with what is needed to build it."""
    ...


@runtime_checkable
class ExportsFolder(Exports, Protocol):
  """An experiment whose exported weights are a folder of files.

  `export` is given an empty one, which bears its final name when it is whole.
  """

  exports_folder: bool


@runtime_checkable
class LoadsModel(Protocol):
  """An experiment that goes on from weights too large for one device."""

  def load_model(
    self, place: Callable[[str, tuple[int, ...]], jax.sharding.Sharding]
  ) -> nnx.Module | None:
    """Builds the model of `init_model` with weights from files.

    Args:
      place: gives a variable, by its path with "/" and its shape, its place on
        the devices.

    Returns:
      The model; None where it starts from `init_model`.
    """
    ...


@runtime_checkable
class StaysSharded(Protocol):
  """An experiment whose model may be too large for one device.

  `evaluate` is given it as it is trained, spread over all devices.
  """

  stays_sharded: bool


@runtime_checkable
class Samples(Protocol):
  """An experiment whose network makes things, step by step."""

  def init_model(self, rngs: nnx.Rngs) -> nnx.Module:
    """See `Experiment`."""
    ...

  def trace_sample(self, devices: Sequence[jax.Device]) -> jax.stages.Traced:
    """Traces a step of the sampler, for one thing that is made.

    Args:
      devices: over which it is spread; they need not be there.
    """
    ...


@runtime_checkable
class NamesData(Protocol):
  """An experiment that can name the contents of its data, for run.json."""

  def data_fingerprint(self) -> str:
    """A digest that changes whenever the data change."""
    ...


def load_experiment(config: ml_collections.ConfigDict) -> Experiment:
  """Builds the experiment that a configuration names.

  Args:
    config: whose `experiment` is a folder of experiments/, or the dotted name
      of a module elsewhere that holds an `Experiment` class.

  Raises:
    SpeedflowError: there is no such experiment.
  """
  name = config.experiment
  module = name if "." in name else f"experiments.{name}.experiment"
  try:
    found = importlib.util.find_spec(module) if name else None
  except ModuleNotFoundError:
    found = None
  if found is None:
    raise errors.SpeedflowError(
      f"config.experiment is {name!r}, and there is no module {module}; name "
      "one of the folders in experiments/"
    )
  return importlib.import_module(module).Experiment(config)
