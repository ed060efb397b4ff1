"""What `make gpu-base` does, in small: pack, unpack, stop, go on, card."""

import json
import pathlib

import pytest

from experiments.speed_estimator import card, experiment, folds, pack
from speedflow import errors
from speedflow.estimate import weights
from speedflow.training import loop

pytestmark = pytest.mark.slow

_RESULTS = pathlib.Path("experiments/speed_estimator/results/unseen.json")


@pytest.fixture(scope="module")
def packed(records_root, tmp_path_factory):
  folder = tmp_path_factory.mktemp("pack")
  pack.pack(records_root / "records" / "motion", folder, pack.Choice(1, 24))
  return folder


@pytest.fixture(scope="module")
def trained(packed, tmp_path_factory):
  """A piece that was stopped after one step, and went on from there."""
  folder = tmp_path_factory.mktemp("trained")
  pack.unpack(packed, folder / "records")

  def train(*flags):
    return folds.main(
      [
        "--config=configs/speed_estimator.py:smoke",
        f"--config.data.records={folder / 'records'}",
        *("--config.compilation_cache=", "--config.eval_every=1"),
        *(f"--workdir={folder / 'all'}", "--nothing-left-out", "--best"),
        *flags,
      ]
    )

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(experiment, "_COUNTED_GROUPS", 8)
    with pytest.raises(loop.PreemptedError, match="saved at step 1; run the"):
      train("--minutes=1e-9")
    assert not (folder / "all" / "0" / folds.FACTS).exists()
    assert train("--minutes=10") == 0
    # Nothing is left to do.
    assert train("--minutes=1e-9") == 0
  return folder / "all" / "0"


def test_a_piece_that_was_stopped_is_finished_by_the_same_command(trained):
  run = json.loads((trained / "run.json").read_text())
  assert (run["status"], run["first_step"], run["last_step"]) == (
    *("finished", 1, 2),
  )
  assert folds.load_one(trained).left_out == ()
  weights.SPEED.load(folds.load_one(trained).weights)


@pytest.fixture
def make_card(trained, packed, tmp_path):
  """Gives `make_card(**changes)` of the runs of the folds."""

  def make(**changes):
    results = json.loads(_RESULTS.read_text())
    run = json.loads((trained / "run.json").read_text())
    run |= {"seed": 0} | changes
    figures = tmp_path / "unseen.json"
    figures.write_text(json.dumps(results | {"runs": [run, run]}))
    model, known = weights.SPEED.load(folds.load_one(trained).weights)
    _, shipped = weights.SPEED.load()
    path = tmp_path / "speed_base.safetensors"
    weights.SPEED.save(
      path, model, known | {"calibration": shipped["calibration"]}
    )
    assert not card.main(
      [
        *(str(trained), f"--weights={path}", f"--unseen={figures}"),
        *(f"--pack={packed}", f"--beside={_RESULTS}"),
      ]
    )
    return path.with_suffix(".md").read_text()

  return make


def test_a_card_tells_of_its_run_and_figures(make_card):
  text = make_card()
  assert "`speed_base.safetensors`" in text
  assert "6 looks at training shots" in text
  assert "2 of 4 groups of two windows" in text
  assert "of 2 that were looked at" in text
  assert "| log2 MAE at 1x, 2x, 4x | 0.59 (0.43-0.76) |" in text
  assert "/tmp" not in text


def test_a_card_of_what_does_not_belong_together_is_refused(make_card):
  with pytest.raises(errors.SpeedflowError, match="of other data"):
    make_card(data_fingerprint="another")
