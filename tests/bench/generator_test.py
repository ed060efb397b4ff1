import json
import subprocess
import sys

import pytest

from bench import generator
from speedflow.errors import SpeedflowError

SMOKE = "--config=configs/speed_generator.py:smoke"


def run(*arguments):
  # A process of its own, because it binds itself to one core.
  return subprocess.run(
    [
      *(sys.executable, "-m", "bench.generator", SMOKE),
      # One batch size, one program.
      *("--repeats=1", "--batch-size=1", *arguments),
    ],
    capture_output=True,
    text=True,
    check=False,
  )


@pytest.fixture
def other(tmp_path):
  """Stands for a Python with PyTorch: tells what it was asked for."""
  path = tmp_path / "python"
  path.write_text(
    f"#!{sys.executable}\n"
    "import json, sys\n"
    "asked = int(sys.argv[2].removeprefix('--parameters='))\n"
    "print(json.dumps({'parameters': asked, 'train_s': 1, 'denoise_s': 1}))\n"
  )
  path.chmod(0o755)
  return path


@pytest.mark.slow
def test_both_sides_have_as_many_parameters(tmp_path, other):
  out = tmp_path / "result.json"
  done = run(f"--out={out}", f"--torch-python={other}")
  assert done.returncode == 0, done.stderr
  result = json.loads(out.read_text())
  ours = result["speedflow"]
  assert result["unet"]["parameters"] == ours["parameters"] > 1000
  assert ours["train_s"] > 0
  assert ours["clip_s"] > 0
  assert ours["train_clips_per_s"] > 0
  assert done.stdout.startswith("speedflow: 0.0")


def test_a_python_without_pytorch_is_told_by_its_last_line(tmp_path):
  broken = tmp_path / "python"
  broken.write_text(f"#!{sys.executable}\nraise ImportError('no torch')\n")
  broken.chmod(0o755)
  for python, message in (
    (broken, "no torch; give a Python that has torch"),
    (tmp_path / "none", "No such file"),
  ):
    with pytest.raises(SpeedflowError, match=message):
      generator.beside(python, parameters=1000, repeats=1)
