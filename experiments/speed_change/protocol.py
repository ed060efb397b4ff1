"""The fixed protocol by which detectors of speed changes are compared.

From every shot windows of one length are drawn: with a change of each size,
and as many without, which play throughout at one of the speeds that they would
have had. All are rendered and encoded alike; every system sees the same ones.
"""

import dataclasses
import pathlib
from collections.abc import Iterable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.speed_change import dataset, pairs, plans
from speedflow.data import motion
from speedflow.data.records import RecordSource
from speedflow.data.schema import ShotRecord
from speedflow.detect import change_detector
from speedflow.errors import SpeedflowError
from speedflow.evaluation import detection
from speedflow.models import change_net
from speedflow.timewarp import augment, resample

MAPS = 40
"""Maps of a window: 1.4 s at 30 frames per second."""

BINS = ((1.25, 1.5), (1.5, 2.0), (2.0, 4.0), (4.0, 8.0))
"""Ratios, faster to slower."""

KINDS = (*(f"{low:g}-{high:g}" for low, high in BINS), "ramp")
"""Kinds of windows: splices by ratio, and ramps by any ratio from 1.5 on."""

# Windows of each kind with a change from a shot, and as many without.
_PER_KIND = 2
# Windows through a network at a time; the last batch is padded.
_BATCH = 32
# Of the encoder, from very good to what is usual in the web.
_CRF = (17, 31)
# Pixels per frame: the fastest tenth of the picture moves by this, or nobody
# could tell.
_MOVING = 0.5
# Moments so near to the ends of a window are not asked for.
_EDGE = 5


@dataclasses.dataclass(frozen=True, eq=False)
class Windows:
  """Windows to judge, and the truth about them.

  Attributes:
    maps: float16 [n, MAPS, 12, 16, 8].
    change: int64 [n], frame at which the speed changes; 0: it does not.
    log2_ratio: float64 [n], speed after / speed before; 0: no change.
    fps: float64 [n], at which the window plays.
    kind: [n], one of `KINDS`, of a window without a change that of the window
      that it is drawn like.
    group: [n], scene group.
    shot: [n], id of the shot.
  """

  maps: np.ndarray
  change: np.ndarray
  log2_ratio: np.ndarray
  fps: np.ndarray
  kind: np.ndarray
  group: np.ndarray
  shot: np.ndarray

  def __len__(self) -> int:
    return len(self.change)


@dataclasses.dataclass(frozen=True, eq=False)
class Answers:
  """What a system says of each window.

  Attributes:
    score: float64 [n], log odds that there is a change.
    change: float64 [n], number of the frame where it most likely is.
    log2_ratio: float64 [n], of that change; nan from a system that cannot say.
  """

  score: np.ndarray
  change: np.ndarray
  log2_ratio: np.ndarray

  def calibrated(self, scale: float, shift: float) -> "Answers":
    """The same answers with other scores."""
    return dataclasses.replace(self, score=scale * self.score + shift)


def draw(
  shot: str, frames: int, seed: int = 0
) -> Iterator[tuple[str, plans.ChangePlan]]:
  """Draws the windows of a shot, the same ones every time.

  Args:
    shot: its id.
    frames: how many it has.
    seed: another seed gives other windows.

  Yields:
    Kind and plan, by turns with a change and without one.
  """
  rng = np.random.default_rng([seed, *shot.encode()])
  for kind, ratios in zip(KINDS, (*BINS, (1.5, 8.0)), strict=True):
    for _ in range(_PER_KIND):
      drawn = [
        plans.sample(
          rng,
          frames,
          MAPS,
          ratios=ratios,
          changes=changes,
          ramps=float(kind == "ramp"),
          exact=True,
        )
        for changes in (True, False)
      ]
      if drawn[0] is not None and drawn[1] is not None:
        yield from ((kind, plan) for plan in drawn if plan is not None)


def look_up(paths: Sequence[pathlib.Path]) -> Windows:
  """The windows of pair records, without rendering; for use in training.

  Raises:
    SpeedflowError: every shot is too short.
  """
  rows = []
  for encoded in RecordSource(paths):
    record = pairs.PairRecord.decode(encoded)
    for kind, plan in draw(record.id, record.num_frames):
      maps = dataset.play(record, plan).maps.astype(np.float16)
      rows.append(
        _row(maps, plan, kind, record.fps, record.scene_group, record.id)
      )
  return _windows(rows)


def render(shots: Iterable[ShotRecord], seed: int = 0) -> Windows:
  """Renders the windows of shots, through a shutter and an encoder.

  Windows with a change and without one get shutters and codecs of the same
  distribution.

  Raises:
    SpeedflowError: every shot is too short.
  """
  mapper = motion.MotionMapper()
  rows = []
  for shot in shots:
    frames, fps = pairs.regular_frames(shot)
    rng = np.random.default_rng([seed, 1, *shot.id.encode()])
    for kind, plan in draw(shot.id, len(frames), seed):
      exposure = float(rng.uniform() * rng.integers(2))
      codec = dataclasses.replace(
        augment.Codec.sample(rng), crf=int(rng.integers(*_CRF))
      )
      look = augment.Appearance(codec=codec)
      clip = augment.augment(_exposed(frames, plan.clip, exposure), look)
      maps = mapper.along([motion.to_flow_size(image) for image in clip])
      rows.append(_row(maps, plan, kind, fps, shot.scene_group, shot.id))
  return _windows(rows)


def _exposed(
  frames: np.ndarray, clip: resample.ClipPlan, exposure: float
) -> np.ndarray:
  """Renders with an open shutter, where the shot lasts until it closes."""
  open_clip = dataclasses.replace(clip, exposure=exposure)
  if open_clip.frame_span[1] >= len(frames):
    open_clip = clip
  return resample.render_clip(frames, open_clip)


def _row(
  maps: np.ndarray,
  plan: plans.ChangePlan,
  kind: str,
  fps: float,
  group: str,
  shot: str,
) -> tuple:
  return maps, plan.change, plan.log2_ratio, fps, kind, group, shot


def _windows(rows: list[tuple]) -> Windows:
  if not rows:
    raise SpeedflowError(
      f"no shot is long enough for windows of {MAPS + 1} frames with a change "
      "of speed; add longer videos to this split"
    )
  return Windows(*(np.stack(column) for column in zip(*rows, strict=True)))


def predict(model: change_net.ChangeNet, windows: Windows) -> Answers:
  """The answers of a network in evaluation mode."""
  return predict_with_spread(model, windows)[0]


def predict_with_spread(
  model: change_net.ChangeNet, windows: Windows
) -> tuple[Answers, np.ndarray]:
  """The answers, and the spreads of their ratios, float64 [n], octaves."""
  regular = jnp.zeros((_BATCH, MAPS))
  length = jnp.full(_BATCH, MAPS)

  @nnx.jit
  def run(model: change_net.ChangeNet, maps: jax.Array) -> change_net.Change:
    return model(maps, regular, length)

  padding = -len(windows) % _BATCH
  padded = np.pad(windows.maps, [(0, padding)] + [(0, 0)] * 4)
  parts = [
    run(model, jnp.asarray(padded[i : i + _BATCH]))
    for i in range(0, len(padded), _BATCH)
  ]
  logit, log2_ratio, spread = (
    np.concatenate(part)[: len(windows)] for part in zip(*parts, strict=True)
  )
  inner = np.asarray(logit[:, _EDGE : MAPS - _EDGE + 1], np.float64)
  peak = change_detector.pooled(inner, change_detector.NEAR).argmax(1) + _EDGE
  rows = np.arange(len(windows))
  answers = Answers(
    np.log(np.exp(inner).sum(1)),
    peak.astype(np.float64),
    log2_ratio[rows, peak].astype(np.float64),
  )
  return answers, spread[rows, peak].astype(np.float64)


def answers_of_moments(score: np.ndarray) -> Answers:
  """Answers by the highest moment of each window.

  Args:
    score: float [n, MAPS], of every moment; row i of a window is its frame i.
  """
  inner = score[:, _EDGE : MAPS - _EDGE + 1]
  change = inner.argmax(1) + _EDGE
  rows = np.arange(len(score))
  nan = np.full(len(score), np.nan)
  return Answers(score[rows, change], change.astype(np.float64), nan)


def moving(windows: Windows) -> np.ndarray:
  """Numbers of the windows in which something moves.

  Each stays or goes together with the one that it is drawn like, so that this
  does not favour either kind.
  """
  pace = np.array([dataset.fastest(maps) for maps in windows.maps])
  slower = pace.reshape(-1, 2).min(1)
  return np.flatnonzero(np.repeat(slower >= _MOVING, 2))


def score(windows: Windows, answers: Answers) -> dict[str, float]:
  """Figures of a system over all windows and by kind."""
  everything = np.arange(len(windows))
  figures = {
    name: measure(windows, answers, everything)
    for name, measure in MEASURES.items()
  }
  for kind in KINDS:
    index = np.flatnonzero(windows.kind == kind)
    if len(index):
      figures[f"accuracy_{kind}"] = accuracy(windows, answers, index)
  return figures


def accuracy(windows: Windows, answers: Answers, index: np.ndarray) -> float:
  """Share of windows judged rightly at a probability of 0.5."""
  truth = windows.change[index] > 0
  return float(((answers.score[index] > 0) == truth).mean())


def average_precision(
  windows: Windows, answers: Answers, index: np.ndarray
) -> float:
  """Of windows with changes of any size."""
  return detection.average_precision(
    answers.score[index], windows.change[index] > 0
  )


def average_precision_from_2(
  windows: Windows, answers: Answers, index: np.ndarray
) -> float:
  """Of the splices by a ratio of 2 or more, and windows drawn like them."""
  large = np.isin(windows.kind[index], KINDS[2:4])
  return average_precision(windows, answers, index[large])


def localisation_ms(
  windows: Windows, answers: Answers, index: np.ndarray
) -> float:
  """Median error of the time of the splices that are found."""
  index = _found(windows, answers, index)
  miss = np.abs(answers.change[index] - windows.change[index])
  return _median(1000 * miss / windows.fps[index])


def ratio_error(windows: Windows, answers: Answers, index: np.ndarray) -> float:
  """Median factor between true and estimated ratio of the splices found."""
  index = _found(windows, answers, index)
  miss = np.abs(answers.log2_ratio[index] - windows.log2_ratio[index])
  return float(np.exp2(_median(miss)))


def _median(values: np.ndarray) -> float:
  return float(np.median(values)) if len(values) else float("nan")


def _found(windows: Windows, answers: Answers, index: np.ndarray) -> np.ndarray:
  splice = (windows.change[index] > 0) & (windows.kind[index] != "ramp")
  return index[splice & (answers.score[index] > 0)]


MEASURES = {
  "accuracy": accuracy,
  "average_precision": average_precision,
  "average_precision_from_2": average_precision_from_2,
  "localisation_ms": localisation_ms,
  "ratio_error": ratio_error,
}
"""Each from windows, answers and the numbers of some windows to a figure."""
