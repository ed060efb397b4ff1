"""All verbs as functions: what the commands do, from Python."""

import inspect
import subprocess
import sys

import pytest

from speedflow import api, errors
from speedflow.mine import search
from speedflow.superres import video


def test_importing_loads_no_network():
  code = "import sys, speedflow.api; sys.exit('jax' in sys.modules)"
  subprocess.run([sys.executable, "-c", code], check=True)


def test_estimate_is_what_the_command_says(make_video, capsys):
  import json

  from speedflow import cli

  path = make_video(frames=30)
  told = api.estimate(path).to_json()
  assert cli.main(["estimate", "--json", str(path)]) == 0
  assert json.loads(capsys.readouterr().out)["status"] == told["status"]


def test_superres_has_the_arguments_of_what_it_calls():
  assert list(inspect.signature(api.superres).parameters) == list(
    inspect.signature(video.superres).parameters
  )


def test_mine_takes_what_its_docstring_names():
  options = inspect.signature(search.search).parameters
  for name in list(options)[2:]:
    assert f"`{name}`" in inspect.getdoc(api.mine)


@pytest.mark.parametrize("verb", [api.estimate, api.detect])
def test_bad_input_is_one_error(verb, tmp_path):
  with pytest.raises(errors.SpeedflowError, match="no such file"):
    verb(tmp_path / "none.mp4")
