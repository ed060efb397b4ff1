"""Whole clips are those of diffusers' pipelines; see `whole_reference`."""

import json

import numpy as np
import pytest

from experiments.wan import whole
from speedflow.errors import SpeedflowError
from speedflow.wan import index, pipeline

_RECORDED = json.loads(whole.RECORDED.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("name", whole.CASES)
def test_a_clip_is_the_reference_s(name, tmp_path):
  whole.write(name, tmp_path)
  found = np.array(whole.kept(whole.ours(tmp_path)))
  expected = np.array(_RECORDED["cases"][name]["values"])
  assert np.abs(found - expected).max() <= whole.TOLERANCE


def test_what_knows_a_first_frame_alone_is_shown_no_other(tmp_path):
  whole.write("2.2, TI2V", tmp_path)
  video = np.stack([whole.picture()] * 9)
  known = np.arange(9) % 8 == 0
  with pytest.raises(SpeedflowError, match="knows a first frame and no other"):
    pipeline.WanGenerator(tmp_path).fill(video, known, whole.WISH)


def test_a_second_transformer_that_is_missing_is_named(tmp_path):
  whole.write("2.1, I2V", tmp_path)
  path = tmp_path / "model_index.json"
  said = json.loads(path.read_text())
  path.write_text(json.dumps(said | {"boundary_ratio": 0.9}))
  with pytest.raises(SpeedflowError, match="no folder transformer_2"):
    pipeline.WanGenerator(tmp_path)


def _written(folder, said, scheduler=None):
  text = json.dumps({"_class_name": "WanImageToVideoPipeline"} | said)
  (folder / "model_index.json").write_text(text)
  if scheduler is not None:
    (folder / "scheduler").mkdir()
    path = folder / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(scheduler))
  return index.read(folder)


def test_the_shift_is_the_published_scheduler_s(tmp_path):
  assert _written(tmp_path, {}, {"flow_shift": 5.0}).trained.shift == 5.0


def test_what_speedflow_trained_for_counts_for_more(tmp_path):
  said = {"_speedflow": {"height": 32, "width": 48, "frames": 9, "shift": 2.0}}
  found = _written(tmp_path, said, {"flow_shift": 5.0})
  assert found.trained == index.Trained(32, 48, 9, 2.0)


def test_ti2v_makes_what_it_was_published_for(tmp_path):
  found = _written(tmp_path, {"expand_timesteps": True})
  assert found.first_by_time
  assert (found.trained.height, found.trained.frames) == (704, 121)


@pytest.mark.parametrize(
  ("said", "scheduler", "named"),
  [
    ({"boundary_ratio": 1.5}, None, "boundary_ratio is 1.5"),
    ({"boundary_ratio": "0.9"}, None, "boundary_ratio is '0.9'"),
    ({"expand_timesteps": "yes"}, None, "expand_timesteps is 'yes'"),
    ({"_speedflow": {"frames": 8.5}}, None, "frames is 8.5"),
    ({}, {"flow_shift": -3}, r"scheduler_config.json.*flow_shift is -3"),
    ({}, [], "scheduler_config.json: not a scheduler's"),
  ],
)
def test_an_index_that_cannot_be_is_one_line(tmp_path, said, scheduler, named):
  with pytest.raises(SpeedflowError, match=named) as caught:
    _written(tmp_path, said, scheduler)
  assert "\n" not in str(caught.value)
