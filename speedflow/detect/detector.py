"""From a file to what was done to its time, by its picture and its sound.

Changes and speeds of the picture are found by networks on motion maps, those of
the sound by the shift of its spectrum; `verdict` weighs both.
"""

import dataclasses
import itertools
import os
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import NamedTuple, Protocol

from speedflow import media
from speedflow.clocks import reading as clock_lib
from speedflow.clocks import witnesses
from speedflow.detect import answer as detect_lib
from speedflow.detect import change_detector as change_detector_lib
from speedflow.detect import verdict as verdict_lib
from speedflow.errors import SpeedflowError
from speedflow.estimate import answer as estimate_lib
from speedflow.estimate import estimator as estimator_lib
from speedflow.estimate import sound_speed as sound_speed_lib
from speedflow.pictures import shots
from speedflow.sound import changes as sound_changes
from speedflow.sound import stretch

TOLERANCE_S = 0.25
"""Changes of picture and sound at most so far apart are one."""

# Changes of the sound that are less likely are not reported.
_LIKELY = 0.5
# What of the whole time each pass over the picture takes, about.
_DETECTING = 0.5


class ChangeDetector(Protocol):
  """Finds changes of speed in the picture."""

  def detect(
    self,
    video: shots.Picture,
    /,
    *,
    on_progress: Callable[[float], None],
  ) -> change_detector_lib.PictureChanges:
    """See `change_detector.ChangeDetector.detect`."""
    ...


class Estimator(Protocol):
  """Estimates the speed of the picture between changes."""

  def estimate(
    self,
    video: shots.Picture,
    /,
    *,
    on_progress: Callable[[float], None],
    changes_s: tuple[float, ...],
  ) -> estimate_lib.Estimate:
    """See `estimator.SpeedEstimator.estimate`."""
    ...


class _OfSound(NamedTuple):
  """What was found in the sound.

  Attributes:
    changes: of its speed.
    sound: as a whole.
    stretched: probability that it was stretched at its old pitch, or None.
    clocks: what is heard of clocks.
  """

  changes: tuple[sound_changes.SoundChange, ...]
  sound: detect_lib.Sound
  stretched: float | None
  clocks: tuple[clock_lib.Reading, ...] = ()


class Detector:
  """Finds where a video's speed was changed, and says what was done to it."""

  def __init__(
    self,
    change_detector: ChangeDetector,
    sound_model: sound_speed_lib.SoundModel,
    estimator: Estimator,
    belief: verdict_lib.Belief = verdict_lib.BELIEF,
  ):
    """Joins trained parts.

    Args:
      change_detector: finds changes in the picture.
      sound_model: estimates the speed of sound.
      estimator: estimates the speed of the picture.
      belief: prior and likelihoods of the verdict.
    """
    self._change_detector = change_detector
    self._sound_model = sound_model
    self._estimator = estimator
    self._belief = belief

  def detect(
    self,
    path: str | os.PathLike[str],
    on_progress: Callable[[float], None] | None = None,
  ) -> detect_lib.Detection:
    """Examines one file.

    Args:
      path: a video file, with or without sound.
      on_progress: called now and then with the share that is done, 0..1.

    Raises:
      SpeedflowError: the picture cannot be read. Sound that cannot be decoded
        counts as missing.
    """
    evidence, found = self.examine(path, on_progress)
    judgement = verdict_lib.judge(evidence, self._belief)
    return dataclasses.replace(
      found,
      verdict=judgement.verdict,
      why=" ".join([judgement.why, *_of_no_sound(found.sound)]),
      probabilities=judgement.probabilities,
    )

  def examine(
    self,
    path: str | os.PathLike[str],
    on_progress: Callable[[float], None] | None = None,
  ) -> tuple[verdict_lib.Evidence, detect_lib.Detection]:
    """Like `detect`, without a verdict.

    Returns:
      The evidence, and the answer, which lacks the verdict.
    """
    advance = on_progress or (lambda done: None)
    with (
      witnesses.WatchedPicture(path, keep=True) as video,
      # Sound is examined while the picture is decoded.
      futures.ThreadPoolExecutor(max_workers=1) as pool,
    ):
      pending = pool.submit(self._of_sound, path)
      of_picture = self._change_detector.detect(
        video, on_progress=lambda done: advance(_DETECTING * done)
      )
      seen_clocks = video.clocks.readings()
      of_sound = pending.result()
      pairs = join_changes(
        of_picture.changes, within_shots(of_sound.changes, of_picture.cuts_s)
      )
      first_s, last_s = (
        float(of_picture.time_s[0]),
        float(of_picture.time_s[-1]),
      )
      # Sound may go on when the picture is over.
      within = [
        pair for pair in pairs if first_s < joined(pair).time_s <= last_s
      ]
      changes_s = tuple(joined(pair).time_s for pair in within)
      estimate = self._estimator.estimate(
        video,
        on_progress=lambda done: advance(_DETECTING + (1 - _DETECTING) * done),
        changes_s=changes_s,
      )
    sound = of_sound.sound
    edges = [first_s, *changes_s, first_s + (estimate.duration_s or 0.0)]
    stretches = []
    for start_s, end_s in itertools.pairwise(edges):
      speeds: dict[detect_lib.Modality, detect_lib.Reading | None] = {
        "picture": _speed_at(estimate, (start_s + end_s) / 2 - first_s),
        "sound": (
          self._sound(path, sound.status, start_s, end_s) if within else sound
        ).reading,
      }
      known = {name: given for name, given in speeds.items() if given}
      stretches.append(detect_lib.Stretch(start_s, end_s, known))
    evidence = verdict_lib.Evidence(
      tuple(within),
      tuple(stretches),
      audible=sound.status == "ok",
      stretched=of_sound.stretched,
      clocks=(*seen_clocks, *of_sound.clocks),
    )
    return evidence, detect_lib.Detection(
      os.fspath(path),
      "ok",
      changes=tuple(joined(pair) for pair in pairs),
      curve=detect_lib.Curve(of_picture.time_s, of_picture.probability),
      sound=sound,
      stretches=tuple(stretches),
      cuts_s=of_picture.cuts_s,
      clocks=evidence.clocks,
      damage=video.damage,
      info=video.info,
    )

  def _of_sound(self, path: str | os.PathLike[str]) -> _OfSound:
    """Changes and speed by the sound alone."""
    found = _sound_changes(path)
    if found is None:
      return _OfSound((), detect_lib.Sound("missing"), None)
    stretched = None
    if found.status == "ok":
      stretched = stretch.stretched_probability(media.audio_blocks(path))
    sound = self._sound(path, found.status)
    clocks = witnesses.of_sound(path)
    return _OfSound(found.changes, sound, stretched, clocks)

  def _sound(
    self,
    path: str | os.PathLike[str],
    status: detect_lib.SoundStatus,
    start_s: float | None = None,
    end_s: float | None = None,
  ) -> detect_lib.Sound:
    """Speed of the sound, or of a span of it."""
    if status != "ok":
      return detect_lib.Sound(status)
    blocks = media.audio_blocks(path, start_s=start_s, end_s=end_s)
    found = self._sound_model.estimate(blocks)
    return detect_lib.Sound(
      status, found.speed, found.speed_low, found.speed_high
    )


def load_detector(name: str = "tiny") -> Detector:
  """Loads shipped weights.

  Args:
    name: of the weights of all three networks.

  Raises:
    SpeedflowError: there are no such weights.
  """
  return Detector(
    change_detector_lib.load_change_detector(name),
    sound_speed_lib.load_sound_model(name),
    estimator_lib.load_estimator(name),
  )


def join_changes(
  picture: Sequence[verdict_lib.Found],
  sound: Sequence[verdict_lib.Found],
  tolerance_s: float = TOLERANCE_S,
) -> list[dict[detect_lib.Modality, verdict_lib.Found]]:
  """Pairs changes of picture and sound at one place, the nearest first.

  Args:
    picture: changes in the picture.
    sound: changes in the sound.
    tolerance_s: seconds by which those of one pair may lie apart.

  Returns:
    What each modality shows at each place, in order of time.
  """
  near = sorted(
    (abs(one.time_s - other.time_s), i, k)
    for i, one in enumerate(picture)
    for k, other in enumerate(sound)
  )
  partner: dict[int, int] = {}
  for distance_s, i, k in near:
    free = i not in partner and k not in partner.values()
    if free and distance_s <= tolerance_s:
      partner[i] = k
  pairs: list[dict[detect_lib.Modality, verdict_lib.Found]] = []
  for i, change in enumerate(picture):
    pair: dict[detect_lib.Modality, verdict_lib.Found] = {"picture": change}
    if i in partner:
      pair["sound"] = sound[partner[i]]
    pairs.append(pair)
  for k, change in enumerate(sound):
    if k not in partner.values():
      pairs.append({"sound": change})
  return sorted(pairs, key=lambda pair: joined(pair).time_s)


def within_shots(
  sound: Sequence[sound_changes.SoundChange], cuts_s: Sequence[float]
) -> list[sound_changes.SoundChange]:
  """The changes of the sound that are not where the picture is cut.

  A cut to another place passes for a change of speed by sound alone in half
  the cases, and what plays at another speed after a cut is another shot.

  Args:
    sound: changes in the sound.
    cuts_s: times of the first frames after cuts.
  """
  return [
    change
    for change in sound
    if all(abs(change.time_s - cut_s) > TOLERANCE_S for cut_s in cuts_s)
  ]


def joined(
  found: dict[detect_lib.Modality, verdict_lib.Found],
) -> detect_lib.Change:
  """One change of what both modalities show at one place."""
  # Time and ratio are more exact by sound.
  best = found.get("sound") or found["picture"]
  missed = 1.0
  for change in found.values():
    missed *= 1 - change.probability
  return detect_lib.Change(
    best.time_s,
    1 - missed,
    best.ratio,
    best.ratio_low,
    best.ratio_high,
    tuple(found),
  )


def _speed_at(
  estimate: estimate_lib.Estimate, time_s: float
) -> detect_lib.Reading | None:
  """Speed of the picture at a time after the first frame."""
  for segment in estimate.segments:
    if segment.start_s <= time_s < segment.end_s and segment.tells:
      return detect_lib.Reading(
        segment.speed, segment.speed_low, segment.speed_high
      )
  return None


def _of_no_sound(sound: detect_lib.Sound | None) -> list[str]:
  """Why sound was not weighed, as sentences."""
  if sound is None or sound.status == "missing":
    return ["There is no sound to compare with."]
  if sound.status == "silent":
    return ["The sound is silent."]
  if sound.status == "music":
    return ["The sound is music, which may not belong to the picture."]
  return []


def _sound_changes(
  path: str | os.PathLike[str],
) -> sound_changes.SoundChanges | None:
  """Changes in the sound; None where there is no sound."""
  try:
    blocks = media.audio_blocks(path)
    first = next(blocks, None)
    if first is None:
      return None
    return sound_changes.find_changes(
      itertools.chain([first], blocks), least_probability=_LIKELY
    )
  except SpeedflowError:
    # A track of which nothing can be decoded. The picture remains.
    return None
