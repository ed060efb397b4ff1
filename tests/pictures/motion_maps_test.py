"""Motion maps are computed once, and are those of the mapper."""

from fractions import Fraction

import numpy as np
import pytest

from speedflow import media
from speedflow.data import motion
from speedflow.pictures import motion_maps, spool


@pytest.fixture
def frames():
  rng = np.random.default_rng(0)
  noise = rng.integers(0, 255, (96, 140), dtype=np.uint8)
  return [
    media.Frame(np.ascontiguousarray(noise[:, i : i + 128]), Fraction(i, 30))
    for i in range(6)
  ]


@pytest.mark.parametrize("keep", [True, False])
def test_maps_are_those_of_the_mapper_at_any_stride(frames, keep):
  maps = motion_maps.MotionMaps(spool.Spool("a.mp4", None) if keep else None)
  for stride in (1, 2, 1):
    chosen = frames[::stride]
    expected = motion.MotionMapper().along([frame.image for frame in chosen])
    np.testing.assert_array_equal(maps.along(chosen), expected)


def test_a_pair_of_frames_is_mapped_once(frames, monkeypatch):
  calls = []
  between = motion.MotionMapper.between

  def counted(self, before, after):
    calls.append(1)
    return between(self, before, after)

  monkeypatch.setattr(motion.MotionMapper, "between", counted)
  maps = motion_maps.MotionMaps(spool.Spool("a.mp4", None))
  maps.along(frames)
  maps.along(frames[2:])
  assert len(calls) == 5
  maps.along(frames[::2])
  assert len(calls) == 7
