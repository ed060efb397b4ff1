"""From windows to an answer about a file."""

import numpy as np
import pytest

from speedflow.estimate import network, segments, strides

_WIDTHS = segments.Widths(window=1.0, file=1.0)


def _answer(spread, duration_s=10.0, log2_speed=-1.0):
  windows = [
    strides.WindowEstimate(start, start + 1.5, log2_speed, spread, (0.5,))
    for start in (0.0, 1.0, 2.0)
  ]
  return segments.summarise("", windows, duration_s, 30.0, _WIDTHS)


def test_an_interval_within_two_octaves_is_an_answer():
  found = _answer(spread=0.95)
  assert (found.status, found.reason) == ("ok", None)
  assert found.speed == pytest.approx(0.5)
  assert found.speed_high / found.speed_low == pytest.approx(2**1.9)


def test_a_wider_one_is_uncertain_and_says_what_is_possible():
  found = _answer(spread=1.05)
  assert found.status == "uncertain"
  assert found.reason == "anything from 0.24x to 1x fits what moves in it"
  assert found.to_json()["speed"] == pytest.approx(0.5)
  assert found.in_words().endswith(found.reason)


def test_a_short_video_is_told_to_be_short():
  assert _answer(1.05, duration_s=1.2).reason.startswith("it is short, 1.2 s")


def test_spans_of_an_uncertain_video_still_weigh_against_each_other():
  assert all(segment.tells for segment in _answer(1.05).segments)
  assert not any(segment.tells for segment in _answer(2.05).segments)


def test_a_scale_stretches_steps_and_leaves_strides_alone(random_scale):
  net, plain = random_scale
  # At any stride, one octave of the reading is `slope` octaves of the truth.
  for to_speed in (0.0, -1.0, 2.0):
    assert net.log2_speed(to_speed) == pytest.approx(
      0.3 + 1.2 * plain.log2_speed(0.0) + to_speed
    )


@pytest.fixture(name="random_scale")
def _random_scale():
  """A network with a scale, and the same without."""
  reader = network.Reader(47, np.linspace(-6.0, 4.0, 41), lambda: None)
  frequency = np.ones(41)
  return (
    network.WindowNetwork(reader, frequency, network.Scale(1.2, 0.3)),
    network.WindowNetwork(reader, frequency),
  )
