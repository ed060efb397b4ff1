"""Examples: frames left out, or averaged, with the truth between."""

import cv2
import numpy as np
import pytest

from experiments.temporal_superres import dataset
from speedflow.data import optical_flow
from speedflow.timewarp import light


def _sampler(**fields):
  usual = {"crop": 32, "crops": 2, "smallest": 1.0, "scenes": 0.0}
  usual |= {"blurred": 0.25, "blurred_slow": 0.7, "blurred_scenes": 0.7}
  usual |= {"unknown": 0.3, "alone": 0.1}
  return dataset.ExampleSampler(**(usual | fields))


def _draw(sampler, shot, count=8):
  encoded = shot.encode()
  return [sampler(encoded, np.random.default_rng(k)) for k in range(count)]


def test_the_truth_lies_between_the_frames(make_shot):
  still, along = [], []
  inner = np.s_[10:-10, 10:-10]
  for example in _draw(_sampler(blurred=0.0, unknown=0.0), make_shot()):
    for k in range(2):
      assert 0 < example["time"][k] < 1
      assert example["exposure"][k] == 0
      first = example["images"][k, 0].astype(np.float32)
      # Back along the flow that the first frame tells of this time.
      path = -example["time"][k] * example["flow"][k, 0].astype(np.float32)
      truth = example["truth"][k][inner]
      still.append(np.abs(first[inner] - truth).mean())
      along.append(np.abs(optical_flow.warp(first, path)[inner] - truth).mean())
  assert np.mean(along) < np.mean(still) / 2


def test_the_same_numbers_give_the_same_example(make_shot):
  first, second = (_draw(_sampler(), make_shot(), 1)[0] for _ in range(2))
  for name, array in first.items():
    np.testing.assert_array_equal(array, second[name])


def test_every_example_fits_the_batch(make_shot):
  for example in _draw(_sampler(blurred=0.5, scenes=0.5), make_shot()):
    assert example["images"].shape == (2, 2, 32, 32, 3)
    assert example["truth"].shape == (2, 32, 32, 3)
    assert example["flow"].shape == (2, 2, 32, 32, 2)
    assert example["bend"].shape == (2, 32, 32, 2)
    assert example["images"].dtype == example["truth"].dtype == np.uint8


def test_the_exposure_is_told_or_not(make_shot):
  told = _draw(_sampler(blurred=1.0, unknown=0.0), make_shot(1))
  hidden = _draw(_sampler(blurred=1.0, unknown=1.0), make_shot(1))
  assert all((e["exposure"] >= 0.2).all() for e in told)
  assert all(np.isnan(e["exposure"]).all() for e in hidden)


def test_frames_too_far_apart_are_not_averaged(make_shot):
  shot = make_shot(5, 40)
  for example in _draw(_sampler(blurred=1.0, unknown=0.0), shot, 3):
    assert (example["exposure"] >= 0).all()


@pytest.mark.parametrize("frames", [2, 3, 9, 17])
def test_short_shots_give_examples_too(make_shot, frames):
  for example in _draw(_sampler(blurred=1.0), make_shot(2, frames), 3):
    assert ((example["time"] >= 0) & (example["time"] <= 1)).all()


def test_a_full_exposure_is_the_mean_light_of_eight_frames():
  rng = np.random.default_rng(0)
  images = {k: rng.integers(0, 256, (4, 4, 3), np.uint8) for k in range(-4, 5)}
  lights = {k: light.to_linear(image) for k, image in images.items()}
  whole = sum(lights[k] for k in range(-3, 4))
  wanted = light.from_linear((whole + (lights[-4] + lights[4]) / 2) / 8)
  made = dataset.expose(images, 0, 1.0)
  np.testing.assert_allclose(made.astype(int), wanted, atol=1)


def test_a_shutter_of_no_length_is_the_frame_itself():
  images = {0: np.full((4, 4, 3), 7, np.uint8)}
  np.testing.assert_array_equal(dataset.expose(images, 0, 0.0), images[0])


def test_even_motion_is_not_bent(make_shot):
  bends = [
    np.abs(example["bend"].astype(np.float32)).mean()
    for example in _draw(_sampler(blurred=0.0), make_shot(), 4)
  ]
  assert np.mean(bends) < 0.2


def test_without_neighbours_nothing_is_bent(make_shot):
  for example in _draw(_sampler(alone=1.0), make_shot(), 2):
    assert not example["bend"].any()


def test_calculated_scenes_are_blurred_and_their_truth_is_sharp(make_shot):
  sampler = _sampler(scenes=1.0, blurred_scenes=1.0, unknown=0.0, crops=1)
  blur, sharp = [], []
  for example in _draw(sampler, make_shot(), 12):
    assert 0.2 <= example["exposure"][0] <= 1
    for into, image in (
      (blur, example["images"][0, 0]),
      (sharp, example["truth"][0]),
    ):
      into.append(cv2.Laplacian(image, cv2.CV_32F).var())
  assert np.mean(blur) < np.mean(sharp)
