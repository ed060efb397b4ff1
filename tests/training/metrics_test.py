import json
import time

import pytest

from speedflow import errors
from speedflow.training import metrics


def test_scalars_are_written_as_strict_json(tmp_path):
  writer = metrics.MetricWriter(tmp_path, 0)
  writer.write(5, {"val/spearman": float("nan"), "val/mae": 0.5})
  writer.close()

  def refuse(constant):
    raise ValueError(constant)

  line = json.loads(
    (tmp_path / "metrics.jsonl").read_text(), parse_constant=refuse
  )
  assert line["step"] == 5
  assert line["val/mae"] == 0.5
  assert line["val/spearman"] is None


def test_pace_leaves_pauses_out_and_tells_waiting_apart():
  clock = metrics.Clock()
  with clock.paused():
    time.sleep(0.3)
  with clock.waiting():
    time.sleep(0.1)
  pace = clock.lap(10)
  assert pace["steps_per_second"] > 10 / 0.3
  assert 0.5 < pace["data_wait"] <= 1


def test_each_lap_starts_anew():
  clock = metrics.Clock()
  with clock.waiting():
    time.sleep(0.05)
  clock.lap(1)
  time.sleep(0.05)
  assert clock.lap(1)["data_wait"] == 0


def test_all_diverged_metrics_are_named(tmp_path):
  with pytest.raises(
    errors.SpeedflowError, match=r"loss, norm not finite at step 7; lower"
  ):
    metrics.require_finite(
      7, {"loss": float("nan"), "rate": 1.0, "norm": float("inf")}, tmp_path
    )


def test_progress_shows_loss_pace_and_time_left(capsys):
  with metrics.Progress(1000, 0, shown=True) as progress:
    progress.report(100, 0.25, {"steps_per_second": 0.25, "data_wait": 0.1})
  assert capsys.readouterr().err == (
    "step 100/1000: loss 0.25, 0.25 steps/s, 10% waiting for data, "
    "1:00:00 left\n"
  )


def test_other_processes_print_nothing(capsys):
  with metrics.Progress(10, 0, shown=False) as progress:
    progress.log("hello")
  assert capsys.readouterr().err == ""
