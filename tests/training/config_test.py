import pathlib

import pytest

from speedflow import errors
from speedflow.training import config as config_lib
from speedflow.training import experiment

TOY = str(pathlib.Path(__file__).parent / "toy" / "config.py")


def test_overrides_take_the_type_of_their_field(toy):
  config = toy(
    "--config.num_steps=7",
    "--config.optimizer.learning_rate=1",
    "--config.model.dropout=false",
    '--config.sharding=(("head","fsdp"),(".*","replicate"))',
  )
  assert config.num_steps == 7
  assert config.optimizer.learning_rate == 1.0
  assert config.model.dropout is False
  assert config.sharding == (("head", "fsdp"), (".*", "replicate"))


def test_the_argument_chooses_a_variant(toy):
  assert toy(arg="wide").model.width == 64


def test_two_configurations_do_not_share_anything(toy):
  toy("--config.num_steps=7")
  assert toy().num_steps == 6


@pytest.mark.parametrize(
  ("spec", "override", "message"),
  [
    ("nowhere.py", (), "nowhere.py: no such config file"),
    (f"{TOY}:huge", (), "huge"),
    (f"{TOY}:huge", (), r"^[^\n]*:huge: (?!.*Traceback)"),
    (TOY, ("--config.perpetual=7",), "no such field: perpetual; "),
    (TOY, ("--config.num_step=7",), 'Did you mean "num_steps"'),
    (TOY, ("--config.num_steps=seven",), "num_steps=seven: invalid literal"),
    (TOY, ("num_steps=7",), "unexpected argument 'num_steps=7'"),
    (TOY, ("--num_steps=7",), "num_steps"),
  ],
)
def test_errors_name_what_is_wrong_in_one_line(spec, override, message):
  with pytest.raises(errors.SpeedflowError, match=message) as caught:
    config_lib.load_config(spec, override)
  assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "perpetual_motion", "no.such.module"])
def test_an_unknown_experiment_is_named(name):
  config = config_lib.default_training()
  config.experiment = name
  with pytest.raises(errors.SpeedflowError, match=f"is '{name}'.*one of the"):
    experiment.load_experiment(config)
