"""What is calibrated on repositories left out."""

import numpy as np
import pytest

from experiments.speed_estimator import unseen, whole_files
from speedflow.estimate import network, strides


def _read(source, stride, clip, slope, offset, spread=0.4):
  """A file whose network reads slope times the truth, plus an offset."""
  file = whole_files.File(
    name=f"{clip}@{stride}",
    clip=clip,
    source=source,
    category="realtime",
    label="assumed_realtime",
    stride=stride,
    speed=float(stride),
    duration_s=3.0,
    fps=30.0,
  )
  read = slope * np.log2(stride) + offset
  windows = tuple(
    (
      strides.WindowEstimate(
        0.0, 1.5, float(scale.true_step(np.float64(read))), spread
      ),
    )
    for scale in unseen.SCALES
  )
  return unseen.Read(file, 0, windows)


def _reads(offsets, slope, spread=0.4):
  return [
    _read(f"r{number}", stride, str(number), slope, offset, spread)
    for number, offset in enumerate(offsets)
    for stride in (1, 2, 4)
  ]


def test_a_scale_undoes_what_all_readings_have_in_common():
  wanted = network.Scale(1.2, 0.3)
  offset = -wanted.offset / wanted.slope
  fitted = unseen.fit(_reads([offset] * 4, 1 / wanted.slope))
  assert unseen.SCALES[fitted.scale] == wanted


def test_four_fifths_of_repositories_are_inside_the_intervals():
  offsets = np.linspace(-1.0, 1.0, 41)
  fitted = unseen.fit(_reads(offsets, 1.0))
  assert fitted.widths.file * 0.4 == pytest.approx(0.8, abs=0.06)
  assert fitted.widths.window == pytest.approx(fitted.widths.file)


def test_wider_spreads_want_fewer_of_them():
  offsets = np.linspace(-1.0, 1.0, 41)
  narrow = unseen.fit(_reads(offsets, 1.0, spread=0.4)).widths.file
  wide = unseen.fit(_reads(offsets, 1.0, spread=0.8)).widths.file
  assert wide == pytest.approx(narrow / 2)


def test_a_large_repository_does_not_decide_the_width():
  far = [_read("large", 1, str(n), 1.0, 1.0) for n in range(60)]
  reads = far + _reads([0.0] * 20, 1.0)
  assert unseen.fit(reads).widths.file * 0.4 < 0.5
