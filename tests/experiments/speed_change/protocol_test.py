"""The protocol: windows alike but for the change, and measures of answers."""

import dataclasses

import numpy as np
import pytest

from experiments.speed_change import baselines, protocol
from speedflow.data.records import RecordSource
from speedflow.data.schema import ShotRecord


@pytest.fixture(scope="module")
def shots(records_root):
  paths = sorted((records_root / "records/clips").glob("*-val.tf*"))
  return [ShotRecord.decode(encoded) for encoded in RecordSource(paths)]


@pytest.fixture(scope="module")
def windows(shots):
  return protocol.render(shots)


def test_windows_come_in_pairs_with_and_without_a_change(windows):
  changes = windows.change > 0
  np.testing.assert_array_equal(changes[::2], True)
  np.testing.assert_array_equal(changes[1::2], False)
  np.testing.assert_array_equal(windows.kind[::2], windows.kind[1::2])
  assert windows.maps.shape[1:] == (protocol.MAPS, 12, 16, 8)


def test_every_change_has_the_size_of_its_kind(windows):
  for kind, (low, high) in zip(protocol.KINDS, protocol.BINS, strict=False):
    chosen = (windows.kind == kind) & (windows.change > 0)
    ratio = np.exp2(np.abs(windows.log2_ratio[chosen]))
    assert (ratio > low - 0.01).all()
    assert (ratio < high + 0.01).all()


def test_the_same_windows_are_drawn_every_time(shots, windows):
  again = protocol.render(shots)
  np.testing.assert_array_equal(again.maps, windows.maps)
  other = protocol.render(shots, seed=1)
  assert not np.array_equal(other.change, windows.change)


def test_windows_looked_up_are_drawn_like_those_rendered(records_root):
  paths = sorted((records_root / "records/changes").glob("*-val.tf*"))
  found = protocol.look_up(paths)
  assert (found.change > 0).mean() == 0.5
  assert set(found.kind) <= set(protocol.KINDS)


def _perfect(windows):
  return protocol.Answers(
    np.where(windows.change > 0, 3.0, -3.0),
    windows.change.astype(float),
    windows.log2_ratio,
  )


def test_perfect_answers_have_perfect_figures(windows):
  figures = protocol.score(windows, _perfect(windows))
  assert figures["accuracy"] == figures["average_precision"] == 1
  assert figures["localisation_ms"] == 0
  assert figures["ratio_error"] == 1


def test_late_answers_are_late_by_so_many_milliseconds(windows):
  late = dataclasses.replace(_perfect(windows), change=windows.change + 3.0)
  figures = protocol.score(windows, late)
  assert figures["localisation_ms"] == pytest.approx(100, rel=1e-3)


def test_still_windows_leave_in_pairs(windows):
  maps = windows.maps.copy()
  maps[1] = 0  # The window that the first one is drawn like.
  still = dataclasses.replace(windows, maps=maps)
  kept = protocol.moving(still)
  assert not {0, 1} & set(kept.tolist())
  assert len(kept) % 2 == 0


@pytest.mark.parametrize("scan", [baselines.change_point, baselines.ratio])
def test_baselines_find_a_step(scan):
  rng = np.random.default_rng(0)
  signal = rng.normal(0, 0.05, (5, protocol.MAPS))
  signal[:, 17:] += 1
  assert (scan(signal).argmax(1) == 17).all()
