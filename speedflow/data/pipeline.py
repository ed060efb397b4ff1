"""From a random-access source to training batches, by Grain.

The order of the elements and their random numbers depend on the seed alone,
not on the number of processes, workers or threads. The state of an iterator
(`get_state`, or Grain's checkpoint handler for Orbax) resumes it exactly.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol, SupportsIndex, TypeVar

import grain
import ml_collections
import numpy as np
from absl import flags

from speedflow.errors import SpeedflowError

_Sampler = TypeVar("_Sampler")

Transform = Callable[[Any, np.random.Generator], Any]
"""A pure function of an element and its own random numbers; no JAX."""


class Source(Protocol):
  """Random access to elements, such as a `RecordSource`; picklable."""

  def __len__(self) -> int: ...

  def __getitem__(self, index: SupportsIndex, /) -> Any: ...


def mix(
  sources: Sequence[Source], weights: Sequence[float], *, seed: int
) -> grain.MapDataset:
  """Mixes sources in constant ratios, each shuffled and repeated for ever.

  Args:
    sources: their elements must be alike once transformed.
    weights: positive; how often each source is drawn from, relative to the
      others.
    seed: of the order within each source.

  Returns:
    An endless data set for `batches`, in a fixed order.
  """
  endless = [
    grain.MapDataset.source(source).shuffle(seed + number).repeat()
    for number, source in enumerate(sources)
  ]
  return grain.MapDataset.mix(endless, weights)


def batches(
  source: Source | grain.MapDataset,
  transforms: Sequence[Transform],
  *,
  batch_size: int,
  seed: int,
  process_index: int = 0,
  process_count: int = 1,
  num_epochs: int | None = None,
  num_workers: int = 0,
  num_threads: int = 4,
  shuffle: bool = True,
) -> grain.IterDataset:
  """Makes the batches of one process.

  In every epoch the whole source is shuffled anew and dealt out to the
  processes; what does not fill a batch on each of them is left out, so that
  all of them take the same number of steps. Together, the processes' batches
  number k hold the same elements whatever the number of processes.

  Args:
    source: random access to elements; or a data set of `mix`, whose order is
      kept.
    transforms: applied one after the other to each element, with a Generator
      that is a function of seed and position alone.
    batch_size: elements per batch of this process.
    seed: 0 .. 2**32 - 1.
    process_index: this process, 0 .. process_count - 1.
    process_count: number of processes.
    num_epochs: None: for ever, as a data set of `mix` always is.
    num_workers: processes that transform; 0: this process does.
    num_threads: threads that transform, in each process.
    shuffle: False keeps the order of the source.

  Returns:
    A data set of batches, the leaves of the elements stacked.

  Raises:
    SpeedflowError: when the source does not fill one batch per process.
  """
  if isinstance(source, grain.MapDataset):
    dataset = source.seed(seed)
  else:
    dataset = grain.MapDataset.source(source).seed(seed)
    if shuffle:
      dataset = dataset.shuffle()
  size = len(dataset)
  usable = size - size % (batch_size * process_count)
  if not usable:
    raise SpeedflowError(
      f"{source!r}: {size} elements do not fill a batch of {batch_size} on "
      f"{process_count} process(es); choose a smaller batch, or add data"
    )
  # Random numbers go with the position before the elements are dealt out, so
  # that they are the same for any number of processes.
  for transform in transforms:
    dataset = dataset.random_map(transform)
  dataset = dataset.slice(slice(process_index, usable, process_count))
  dataset = dataset.batch(batch_size, drop_remainder=True)
  if not isinstance(source, grain.MapDataset):
    dataset = dataset.repeat(num_epochs)
  stream = dataset.to_iter_dataset(
    grain.ReadOptions(
      num_threads=num_threads, prefetch_buffer_size=max(num_threads, 1)
    )
  )
  if not num_workers:
    return stream
  if not flags.FLAGS.is_parsed():
    # Grain's workers read flags; notebooks and pytest never parse them.
    flags.FLAGS.mark_as_parsed()
  return stream.mp_prefetch(
    grain.MultiprocessingOptions(num_workers=num_workers)
  )


def configured(
  kind: type[_Sampler], node: ml_collections.ConfigDict, **given: Any
) -> _Sampler:
  """Makes a sampler of the fields of a config that are named like its own.

  Args:
    kind: a dataclass.
    node: has the other fields; it may have more.
    **given: fields that do not come from there.
  """
  assert dataclasses.is_dataclass(kind)
  names = {field.name for field in dataclasses.fields(kind)} - set(given)
  values = {name: node[name] for name in names}
  frozen = {
    name: tuple(value) if isinstance(value, list) else value
    for name, value in values.items()
  }
  return kind(**given, **frozen)
