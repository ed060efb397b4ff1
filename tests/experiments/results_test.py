"""The tables that are kept are those of the figures that are kept."""

import importlib
import json
import pathlib

import pytest

_FOLDER = pathlib.Path(__file__).parents[2] / "experiments"


@pytest.mark.parametrize(
  ("name", "function"),
  [
    ("cuts", "table"),
    ("forensics", "tables"),
    ("motion_attribution", "table"),
    ("retime", "tables"),
    ("slowmo_mining", "tables"),
    ("sound_speed", "tables"),
    ("speed_change", "tables"),
    ("speed_estimator", "tables"),
    ("speed_generator", "table"),
  ],
)
def test_figures_give_the_table_beside_them(name, function):
  evaluate = importlib.import_module(f"experiments.{name}.evaluate")
  results = _FOLDER / name / "results" / "test.json"
  table = getattr(evaluate, function)(json.loads(results.read_text()))
  assert table == results.with_suffix(".md").read_text()
