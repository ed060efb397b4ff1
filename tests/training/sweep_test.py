import pathlib
import shlex

import pytest

from speedflow import errors, main
from speedflow.training import sweep

TOY = str(pathlib.Path(__file__).parent / "toy" / "config.py")


def test_every_combination_is_one_run_in_a_folder_of_its_own():
  runs = sweep.commands("c.py:tiny", "runs", ["seed=0,1", "a.b=x,y"], ["--z"])
  assert [" ".join(run[-4:]) for run in runs] == [
    f"--workdir=runs/seed={s}/a.b={b} --z --config.seed={s} --config.a.b={b}"
    for s in (0, 1)
    for b in "xy"
  ]


def test_commas_inside_brackets_do_not_separate():
  runs = sweep.commands("c.py", "runs", ["shape=(1,2),(3,4)"])
  assert [run[-1] for run in runs] == [
    *("--config.shape=(1,2)", "--config.shape=(3,4)")
  ]


@pytest.mark.parametrize("choice", ["seed", "=1", "seed=", "--seed=1"])
def test_a_malformed_choice_is_named(choice):
  with pytest.raises(errors.SpeedflowError, match="FIELD=VALUE"):
    sweep.commands("c.py", "runs", [choice])


def test_commands_are_printed_for_a_shell(capsys):
  assert not main.run(
    ["--config=c.py", "--workdir=my runs", "seed=0,1"], "sweep"
  )
  lines = capsys.readouterr().out.splitlines()
  assert [shlex.split(line)[-1] for line in lines] == [
    *("--config.seed=0", "--config.seed=1")
  ]
  assert "--workdir=my runs/seed=0" in shlex.split(lines[0])


def test_a_failing_run_is_counted_and_reported(tmp_path, capfd):
  code = main.run(
    ["--config=absent.py", f"--workdir={tmp_path}", "--run", "seed=0"], "sweep"
  )
  assert code == 2
  assert "1 of 1 runs failed" in capfd.readouterr().err
