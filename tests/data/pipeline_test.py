import dataclasses
import itertools
import json
import subprocess
import sys

import ml_collections
import numpy as np
import pytest

from speedflow.data import pipeline, records
from speedflow.errors import SpeedflowError


class _Numbers:
  """A source of the numbers from `start` on."""

  def __init__(self, size, start=0):
    self._numbers = range(start, start + size)

  def __len__(self):
    return len(self._numbers)

  def __getitem__(self, index):
    return self._numbers[index]


def _with_noise(number, rng):
  return {"number": np.int64(number), "noise": rng.integers(1 << 30)}


def _batches(source=None, transforms=(_with_noise,), **overrides):
  options = {"batch_size": 4, "seed": 7, "num_epochs": 1} | overrides
  return pipeline.batches(source or _Numbers(25), transforms, **options)


def _numbers(dataset, count=None):
  taken = itertools.islice(dataset, count)
  return [batch["number"].tolist() for batch in taken]


def _flat(batches):
  return list(itertools.chain.from_iterable(batches))


def _equal(one, two):
  return len(one) == len(two) and all(
    np.array_equal(a[key], b[key])
    for a, b in zip(one, two, strict=True)
    for key in a
  )


def test_an_epoch_holds_each_element_at_most_once_and_full_batches():
  batches = _numbers(_batches())
  assert [len(batch) for batch in batches] == [4] * 6
  flat = _flat(batches)
  assert len(set(flat)) == 24
  assert set(flat) <= set(range(25))


def test_every_epoch_is_shuffled_anew_and_complete():
  flat = _flat(_numbers(_batches(_Numbers(24), num_epochs=3)))
  epochs = [flat[i : i + 24] for i in (0, 24, 48)]
  assert all(sorted(epoch) == list(range(24)) for epoch in epochs)
  assert len({tuple(epoch) for epoch in epochs} | {tuple(range(24))}) == 4


def test_an_element_gets_new_random_numbers_in_every_epoch():
  batches = list(_batches(_Numbers(24), num_epochs=2))
  noise = np.concatenate([batch["noise"] for batch in batches])
  assert len(set(noise.tolist())) == 48


def test_the_seed_decides_order_and_random_numbers():
  assert _equal(list(_batches()), list(_batches()))
  assert _numbers(_batches()) != _numbers(_batches(seed=8))


def test_without_shuffle_the_order_is_the_sources():
  assert _flat(_numbers(_batches(shuffle=False))) == list(range(24))


def test_processes_share_an_epoch_without_overlap():
  parts = [
    _flat(_numbers(_batches(process_index=i, process_count=3)))
    for i in range(3)
  ]
  assert [len(part) for part in parts] == [8, 8, 8]
  assert len(set(_flat(parts))) == 24


def test_the_global_batch_is_the_same_for_any_number_of_processes():
  whole = list(_batches(_Numbers(50), batch_size=6, num_epochs=2))
  parts = [
    list(
      _batches(
        _Numbers(50),
        batch_size=2,
        num_epochs=2,
        process_index=i,
        process_count=3,
      )
    )
    for i in range(3)
  ]
  for step, batch in enumerate(whole):
    for key, values in batch.items():
      union = np.concatenate([part[step][key] for part in parts])
      assert sorted(union) == sorted(values)


@pytest.mark.parametrize("num_workers", [1, 2])
def test_workers_change_nothing(num_workers):
  alone = list(_batches(num_epochs=2))
  assert _equal(list(_batches(num_epochs=2, num_workers=num_workers)), alone)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_an_iterator_resumes_exactly(num_workers):
  options = {"num_epochs": None, "num_workers": num_workers}
  iterator = iter(_batches(**options))
  for _ in range(8):  # Into the second epoch.
    next(iterator)
  state = json.loads(json.dumps(iterator.get_state()))
  wanted = [next(iterator) for _ in range(5)]
  again = iter(_batches(**options))
  again.set_state(state)
  assert _equal([next(again) for _ in range(5)], wanted)


@pytest.mark.parametrize("batch_size", [1, 8])
def test_a_mixture_keeps_its_ratio_and_never_ends(batch_size):
  mixture = pipeline.mix([_Numbers(5), _Numbers(7, start=100)], [3, 1], seed=1)
  batches = _batches(mixture, batch_size=batch_size, num_epochs=None)
  seen = _flat(_numbers(batches, 160 // batch_size))
  for start in range(0, 160, 8):
    assert sum(number >= 100 for number in seen[start : start + 8]) == 2
  seen = set(seen)
  assert seen == set(range(5)) | set(range(100, 107))


def test_a_mixture_is_dealt_out_without_overlap():
  mixture = pipeline.mix([_Numbers(999), _Numbers(999, 1000)], [1, 1], seed=1)
  parts = [
    _numbers(_batches(mixture, process_index=i, process_count=2), 50)
    for i in range(2)
  ]
  assert not set(_flat(parts[0])) & set(_flat(parts[1]))


def test_records_go_through_workers(tmp_path):
  path = tmp_path / "a.tfrecord"
  with records.RecordWriter(path) as writer:
    for number in range(8):
      writer.write(b"%d" % number)
  batches = _batches(
    records.RecordSource(path),
    [lambda record, rng: {"number": np.int64(record)}],
    num_workers=1,
  )
  assert sorted(_flat(_numbers(batches))) == list(range(8))


def test_too_few_elements_for_a_batch_are_refused():
  with pytest.raises(SpeedflowError, match="3 elements do not fill a batch"):
    _batches(_Numbers(3))
  with pytest.raises(SpeedflowError, match="on 10 process"):
    _batches(process_count=10)


def test_the_loader_imports_no_tensorflow_and_no_beam():
  code = (
    "import sys, speedflow.data.pipeline, speedflow.data.records, "
    "speedflow.data.schema\n"
    "print({'tensorflow', 'tensorflow_datasets', 'apache_beam'} "
    "& set(sys.modules))"
  )
  found = subprocess.run(
    [sys.executable, "-c", code], capture_output=True, text=True, check=True
  )
  assert found.stdout.strip() == "set()"


def test_records_import_no_jax():
  code = (
    "import sys, speedflow.data.records, speedflow.data.schema\n"
    "print('jax' in sys.modules)"
  )
  found = subprocess.run(
    [sys.executable, "-c", code], capture_output=True, text=True, check=True
  )
  assert found.stdout.strip() == "False"


@dataclasses.dataclass(frozen=True)
class _Sampler:
  size: int
  weights: tuple[int, ...]


def test_a_sampler_is_made_of_the_fields_of_its_config():
  node = ml_collections.ConfigDict({"weights": [1, 2], "workers": 3})
  made = pipeline.configured(_Sampler, node, size=4)
  assert made == _Sampler(4, (1, 2))
  with pytest.raises(KeyError):
    pipeline.configured(_Sampler, node)
