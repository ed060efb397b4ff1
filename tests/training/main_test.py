import json
import pathlib
import subprocess
import sys

from speedflow import main

TOY = str(pathlib.Path(__file__).parent / "toy" / "config.py")

# `sys.modules[name] = None` makes any import of it an ImportError.
WITHOUT_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = None
from speedflow import main
sys.exit(main.run(sys.argv[1:], "train"))
"""


def test_training_never_imports_tensorflow(toy_environment, tmp_path):
  done = subprocess.run(
    [
      *(sys.executable, "-c", WITHOUT_TENSORFLOW),
      *(f"--config={TOY}", f"--workdir={tmp_path}", "--config.num_steps=1"),
    ],
    env=toy_environment,
    capture_output=True,
    text=True,
    timeout=120,
  )
  assert done.returncode == 0, done.stderr
  record = json.loads((tmp_path / "run.json").read_text())
  assert record["last_step"] == 1
  assert "--config.num_steps=1" in record["command"]


def test_the_eval_command_prints_json(finished, capsys):
  workdir, last = finished
  assert not main.run([f"--config={TOY}", f"--workdir={workdir}"], "eval")
  assert json.loads(capsys.readouterr().out) == {"rmse": last["val/rmse"]}


def test_exporting_what_cannot_be_exported_is_refused(finished, capsys):
  code = main.run(
    [f"--config={TOY}", f"--workdir={finished[0]}", "--export=w.safetensors"],
    "eval",
  )
  assert code == 2
  assert "has no export()" in capsys.readouterr().err


def test_a_mistake_is_one_line_and_exit_code_2(tmp_path, capsys):
  code = main.run([f"--config={TOY}:huge", f"--workdir={tmp_path}"], "train")
  error = capsys.readouterr().err
  assert code == 2
  assert error.startswith("speedflow train: ")
  assert error.count("\n") == 1
