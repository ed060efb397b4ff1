"""Scenes made by calculation: picture, sound and truth agree."""

import pickle
from fractions import Fraction

import numpy as np
import pytest

from speedflow.data import procedural
from speedflow.data.procedural import ProceduralScene
from speedflow.data.procedural_cast import Body
from speedflow.data.records import RecordSource
from speedflow.data.schema import MAX_FRAMES, ShotRecord
from speedflow.timewarp import light, mechanics
from speedflow.timewarp.resample import ClipPlan, render_clip

_SCALE = 60.0  # Pixels per metre.


def _white(rows: int, columns: int) -> np.ndarray:
  return np.pad(
    np.ones((rows, columns, 4), np.float32), ((1, 1), (1, 1), (0, 0))
  )


def _scene(
  motion: mechanics.Motion,
  sprite: np.ndarray,
  camera: mechanics.Motion | None = None,
  size: tuple[int, int] = (120, 160),
) -> ProceduralScene:
  """One white body before a black wall."""
  return ProceduralScene(
    height=size[0],
    width=size[1],
    seconds=2.0,
    pixels_per_metre=_SCALE,
    background=np.zeros((200, 260, 3), np.float32),
    bodies=(Body(sprite, motion),),
    camera=camera or mechanics.Pacing(),
  )


def _centroid(image: np.ndarray) -> np.ndarray:
  weight = light.to_linear(image)[:, :, 0]
  y, x = np.mgrid[: weight.shape[0], : weight.shape[1]]
  return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


def test_a_thrown_body_draws_the_parabola_of_the_truth():
  throw = np.array([[0, -0.8, 0.5, 0, 1.4, -4.5, 3.0, 0, mechanics.GRAVITY]])
  scene = _scene(mechanics.Flight(throw, np.zeros((0, 2))), _white(10, 10))
  times = np.linspace(0, 0.9, 12)
  seen = np.stack([_centroid(scene.frame(t)) for t in times])
  told = np.stack([scene.truth(t).positions[0] for t in times])
  np.testing.assert_allclose(seen, told, atol=0.05)
  fall = np.polynomial.polynomial.polyfit(times, seen[:, 1], 2)[2]
  assert fall == pytest.approx(9.81 / 2 * _SCALE, rel=0.005)


@pytest.mark.parametrize("moving", ["body", "camera"])
@pytest.mark.parametrize("exposure_s", [1 / 60, 1 / 25])
def test_an_edge_blurs_by_velocity_times_exposure(moving, exposure_s):
  speed = 6.0  # m/s
  drive = mechanics.Pacing(speed=speed, reach=5.0, x=0.0)
  rest = mechanics.Pacing()
  scene = _scene(
    drive if moving == "body" else rest,
    _white(60, 90),
    camera=drive if moving == "camera" else rest,
  )
  row = light.to_linear(scene.frame(0.0, exposure_s))[60, :, 0]
  spread = np.abs(np.diff(row[: row.argmax() + 1]))
  x = np.arange(len(spread))
  mean = (spread * x).sum() / spread.sum()
  variance = (spread * (x - mean) ** 2).sum() / spread.sum()
  expected = speed * _SCALE * exposure_s
  assert np.sqrt(12 * variance) == pytest.approx(expected, rel=0.03)


def test_blur_is_centred_on_the_truth():
  scene = _scene(mechanics.Pacing(speed=3.0, reach=5.0), _white(12, 12))
  seen = _centroid(scene.frame(0.1, exposure_s=1 / 30))
  np.testing.assert_allclose(seen, scene.truth(0.1).positions[0], atol=0.1)


def test_a_long_exposure_is_the_average_of_960_fps_frames():
  scene = ProceduralScene.sample(np.random.default_rng(6), seconds=1.0)
  # Frame k of the 960 fps film is the light of [k, k + 1) / 960 s.
  fine = 1 / 960
  plan = ClipPlan(start=320, factor=32, length=3, exposure=0.5)
  clip = render_clip(lambda k: scene.frame((k + 0.5) * fine, fine), plan)
  for image, opens in zip(clip, plan.positions, strict=True):
    direct = scene.frame((opens + 8) * fine, 16 * fine)
    assert np.abs(image.astype(int) - direct).mean() < 0.7


def test_velocities_of_the_truth_are_those_of_its_positions():
  scene = ProceduralScene.sample(np.random.default_rng(4))
  step = 1e-5
  before, now, after = (scene.truth(1.0 + k * step) for k in (-1, 0, 1))
  np.testing.assert_allclose(
    (after.positions - before.positions) / (2 * step), now.velocities, atol=0.1
  )
  np.testing.assert_allclose(
    (after.angles - before.angles) / (2 * step), now.spins, atol=0.01
  )


def test_a_spinning_body_turns_as_the_truth_says():
  fan = mechanics.Pacing(omega=np.pi)
  scene = _scene(fan, _white(8, 60))
  x, y = np.nonzero(scene.frame(0.25)[:, :, 0].T > 128)
  axes = np.linalg.eigh(np.cov(x, y))[1]
  direction = np.arctan2(axes[1, 1], axes[0, 1]) % np.pi
  assert scene.truth(0.25).angles[0] == pytest.approx(np.pi / 4)
  assert direction == pytest.approx(np.pi / 4, abs=0.02)


@pytest.mark.parametrize("seed", range(8))
def test_sampled_scenes_move_and_repeat_exactly(seed):
  one, two = (
    ProceduralScene.sample(np.random.default_rng(seed), (61, 83), 3.0)
    for _ in range(2)
  )
  early, late = one.frame(0.5, 0.01), one.frame(1.1, 0.01)
  assert early.shape == (61, 83, 3) and early.dtype == np.uint8
  assert np.abs(early.astype(int) - late).max() > 20
  np.testing.assert_array_equal(early, two.frame(0.5, 0.01))
  sent = pickle.loads(pickle.dumps(one))  # To a data worker.
  np.testing.assert_array_equal(late, sent.frame(1.1, 0.01))
  np.testing.assert_array_equal(one.sound(), two.sound())


def test_textures_are_cut_from_the_images_given():
  reds = [np.full((50, 70, 3), (200, 0, 0), np.uint8)]
  scene = ProceduralScene.sample(np.random.default_rng(0), images=reds)
  assert scene.frame(0.0)[:, :, 1:].max() == 0
  assert scene.frame(0.0)[:, :, 0].min() > 60


def test_every_impact_is_heard_when_it_happens():
  rng = np.random.default_rng(0)
  ball = mechanics.bouncing_ball(rng, 2.0, 0.1, 1.0, 1.5, 2.0)
  scene = _scene(ball, _white(4, 4))
  sound = scene.sound()[:, 0]
  assert len(sound) == 2 * procedural.AUDIO_RATE
  heard = 0
  for time_s, speed in ball.impacts:
    at = round(time_s * procedural.AUDIO_RATE)
    if speed < 1 or not 500 < at < len(sound) - 500:
      continue
    heard += 1
    attack = np.abs(sound[at : at + 240]).max()
    assert attack > 2 * np.abs(sound[at - 240 : at]).max()
  assert heard


def test_sound_reaches_the_top_of_the_band():
  sound = ProceduralScene.sample(np.random.default_rng(1)).sound()[:, 0]
  power = np.abs(np.fft.rfft(sound)) ** 2
  edge = len(power) * 23 // 24  # 23 kHz.
  assert power[edge:].mean() > 1e-3 * np.median(power)


def test_records_of_slowed_film_carry_exact_labels():
  scene = ProceduralScene.sample(np.random.default_rng(2), (48, 64), 0.5)
  (record,) = procedural.to_records(
    scene, "fall", Fraction(240), Fraction(30000, 1001), split="val"
  )
  record = ShotRecord.decode(record.encode())
  assert record.num_frames == 120
  assert record.fps == Fraction(30000, 1001)
  assert record.capture_fps == 240
  assert record.speed == pytest.approx(30000 / 1001 / 240)
  assert (record.label, record.category) == ("known", "procedural")
  assert (record.id, record.split) == ("fall/0/0", "val")
  np.testing.assert_allclose(
    np.diff(record.times_s()), 1001 / 30000, atol=1.2e-5
  )
  seconds_played = 120 * 1001 / 30000
  assert len(record.audio().samples) == round(
    seconds_played * record.audio_rate
  )


def test_frames_of_records_are_pictures_of_the_scene():
  scene = ProceduralScene.sample(np.random.default_rng(5), (48, 64), 0.5)
  (record,) = procedural.to_records(
    scene, "x", Fraction(60), exposure=0.25, quality=100
  )
  taken = scene.frame((7 + 0.125) / 60, 0.25 / 60)
  assert np.abs(record.image(7).astype(int) - taken).mean() < 4
  assert record.speed == 1.0


def test_long_scenes_are_cut_into_chunks_without_a_gap():
  scene = _scene(mechanics.Pacing(omega=1.0), _white(4, 4), size=(16, 16))
  chunks = procedural.to_records(scene, "long", Fraction(480), Fraction(48))
  assert [c.num_frames for c in chunks] == [MAX_FRAMES, 960 - MAX_FRAMES]
  assert [c.first_frame for c in chunks] == [0, MAX_FRAMES]
  ticks = np.concatenate([c.ticks for c in chunks])
  assert np.unique(np.diff(ticks)).tolist() == [1875]
  samples = sum(len(c.audio().samples) for c in chunks)
  assert samples == 20 * procedural.AUDIO_RATE


@pytest.mark.slow
def test_a_data_set_is_made_once_and_alike(tmp_path):
  assert procedural.build(tmp_path, 3, seed=5) == 3
  shots = {}
  for path in sorted(tmp_path.glob("*-of-*")):
    (record,) = RecordSource(path)
    shots[path] = ShotRecord.decode(record)
  assert {shot.split for shot in shots.values()} == {"train", "val", "test"}
  assert len({shot.scene_group for shot in shots.values()}) == 3
  assert {shot.category for shot in shots.values()} == {"realtime"}
  assert {shot.speed for shot in shots.values()} == {1.0}
  (first, shot), *_ = shots.items()
  first.unlink()
  assert procedural.build(tmp_path, 3, seed=5) == 1
  assert RecordSource(first)[0] == shot.encode()
