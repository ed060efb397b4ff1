import importlib.util
import json
import pathlib
import subprocess
import sys

import pytest

TOY = str(pathlib.Path(__file__).parent / "toy" / "config.py")
HAS_LIBTPU = importlib.util.find_spec("libtpu") is not None


@pytest.fixture
def compile_toy(toy_environment, tmp_path):
  def run(*flags):
    return subprocess.run(
      [
        *(sys.executable, "-m", "speedflow.training.compile_tpu"),
        *(TOY, f"--out={tmp_path / 'costs.json'}", *flags),
      ],
      env=toy_environment,
      capture_output=True,
      text=True,
      timeout=300,
    )

  return run


@pytest.mark.skipif(not HAS_LIBTPU, reason="libtpu is not installed")
def test_a_step_compiles_for_a_slice_and_its_cost_is_recorded(
  compile_toy, tmp_path
):
  done = compile_toy("--target=v5e:2x2,v6e:4x4")
  assert done.returncode == 0, done.stderr
  small, large = json.loads((tmp_path / "costs.json").read_text())
  assert (small["chips"], large["chips"]) == (4, 16)
  assert small["fits"]
  assert small["flops"] == 4 * large["flops"] > 0
  assert small["sent_bytes"] > 0
  assert small["roofline_seconds"] == max(small["seconds"].values())


@pytest.mark.skipif(not HAS_LIBTPU, reason="libtpu is not installed")
def test_a_step_that_does_not_fit_is_reported(compile_toy, tmp_path):
  done = compile_toy("--target=v5e:2x2", "--config.model.width=500000000")
  assert done.returncode == 1, done.stderr
  (record,) = json.loads((tmp_path / "costs.json").read_text())
  assert not record["fits"]


@pytest.mark.parametrize("target", ["h100:8", "v5e"])
def test_an_unknown_target_is_named(compile_toy, target):
  done = compile_toy(f"--target={target}")
  assert done.returncode == 2
  assert done.stderr.startswith(f"compile_tpu: {target}: ")
  assert "v5e:4x8" in done.stderr


def test_what_makes_nothing_has_no_step_of_a_sampler(compile_toy):
  done = compile_toy("--target=v5e:2x2", "--step=sample")
  assert done.returncode == 2
  assert "has no step of a sampler; use --step=train" in done.stderr


@pytest.mark.skipif(HAS_LIBTPU, reason="libtpu is installed")
def test_without_libtpu_the_remedy_is_named(compile_toy):
  done = compile_toy("--target=v5e:2x2")
  assert done.returncode == 2
  assert "`make compile-tpu`" in done.stderr
