"""What is kept of a run."""

import json
import pathlib

from speedflow.training import config as config_lib
from speedflow.training import run_record


def test_weights_keep_a_run_in_short(tmp_path):
  config = config_lib.default_training()
  config.seed = 7
  for step in (0, 5):
    record = run_record.RunRecord(tmp_path, config, step, "abc")
    record.finish("finished", step + 5, {})
    record.update(wall_seconds=2.0)
  kept = run_record.in_short(tmp_path / "run.json")
  assert (kept["seed"], kept["last_step"]) == (7, 10)
  assert kept["data_fingerprint"] == "abc"
  assert kept["wall_seconds"] == 4.0
  run = json.loads((tmp_path / "run.json").read_text())
  assert kept["versions"] == run["versions"]


def test_a_command_is_recorded_without_this_machines_folders(monkeypatch):
  project = pathlib.Path(run_record.__file__).parents[2]
  monkeypatch.setattr(
    run_record.sys,
    "argv",
    [
      str(project / "experiments" / "evaluate.py"),
      *("/elsewhere/answers.jsonl", f"--out={project}/results/test.json"),
      *("runs/here.json", "--config.x=3"),
    ],
  )
  assert run_record.circumstances()["command"] == [
    "experiments/evaluate.py",
    *("answers.jsonl", "--out=results/test.json"),
    *("runs/here.json", "--config.x=3"),
  ]
