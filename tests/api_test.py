"""All verbs as functions: what the commands do, from Python."""

import argparse
import dataclasses
import importlib
import inspect
import subprocess
import sys

import pytest

from speedflow import api, errors
from speedflow.attribute import options as attribute
from speedflow.generate import options as generate
from speedflow.mine import options as mine
from speedflow.retime import options as retime
from speedflow.superres import options as superres


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


@pytest.mark.parametrize(
  ("verb", "options"),
  [
    (api.superres, superres.Options),
    (api.retime, retime.Options),
    (api.generate, generate.Options),
    (api.mine, mine.Options),
    (api.attribute, attribute.Options),
  ],
)
def test_each_option_is_an_argument_of_its_command(verb, options):
  name = verb.__name__
  command = importlib.import_module(f"speedflow.{name}.command")
  parser = argparse.ArgumentParser()
  command.add_arguments(parser)
  defaults = {action.dest: action.default for action in parser._actions}
  for field in dataclasses.fields(options):
    given = defaults[field.name]
    assert (tuple(given) if isinstance(given, list) else given) == field.default
    assert f"`{field.name}`" in inspect.getdoc(verb)


def test_an_unknown_option_is_named(tmp_path):
  with pytest.raises(TypeError, match="colour"):
    api.superres(tmp_path / "a.mp4", tmp_path / "b.mp4", colour="red")


@pytest.mark.parametrize("verb", [api.estimate, api.detect])
def test_bad_input_is_one_error(verb, tmp_path):
  with pytest.raises(errors.SpeedflowError, match="no such file"):
    verb(tmp_path / "none.mp4")
