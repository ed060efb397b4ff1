"""Real clips with sound, made anew as they are or with their time changed.

All kinds of one clip are encoded alike, H.264 and AAC at one quality, so that
no kind is told by its codec. Nothing is slowed by frames that nobody filmed:
slow clips have fewer frames per second instead, 15 rather than 30.
"""

import dataclasses
import pathlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np

from speedflow import media
from speedflow.data.records import RecordSource
from speedflow.data.schema import ShotRecord
from speedflow.detect.answer import Verdict
from speedflow.timewarp import audio, resample

MIN_FRAMES = 48
"""A clip of so many frames still has 0.8 s when it is sped up."""

MAX_FRAMES = 150
"""Of a longer clip the beginning is taken: about five seconds."""

MIN_SPLICED_FRAMES = 96
"""So many, and a part of each clip can be changed."""

LEAST_LEVEL = 1e-3  # Of full scale: quieter sound is silence.


class Kind(NamedTuple):
  """What is done to a clip.

  Attributes:
    factor: by which its speed is multiplied.
    sound: "resampled" as the picture is, "stretched" at its old pitch, or
      "removed".
    verdict: the right one. Of a file without sound the picture is judged.
  """

  factor: float
  sound: str
  verdict: Verdict


KINDS = {
  "untouched": Kind(1.0, "resampled", "untouched"),
  "sped up 2x": Kind(2.0, "resampled", "sped_up"),
  "slowed down 2x": Kind(0.5, "resampled", "slowed_down"),
  "sped up 2x, pitch kept": Kind(2.0, "stretched", "conflict"),
  "sound removed": Kind(1.0, "removed", "untouched"),
  "sped up 2x, sound removed": Kind(2.0, "removed", "sped_up"),
}

TASK = tuple(KINDS)[:5]
"""Over these the accuracy of verdicts is counted."""


@dataclasses.dataclass(frozen=True)
class Forgery:
  """One file to be judged.

  Attributes:
    kind: one of `KINDS`.
    spliced: whether only the second half is changed.
    clip: id of the shot.
    scene_group: of the shot.
    change_s: when the speed changes, seconds; None where it does not.
    stretcher: what kept the pitch, or "".
  """

  kind: str
  spliced: bool
  clip: str
  scene_group: str
  change_s: float | None
  stretcher: str = ""


def clips(paths: Sequence[pathlib.Path]) -> Iterator[ShotRecord]:
  """Real-time shots with audible sound, long enough to be sped up."""
  for encoded in RecordSource(paths):
    shot = ShotRecord.decode(encoded)
    sound = shot.audio()
    if (
      shot.category == "realtime"
      and shot.speed == 1
      and shot.num_frames >= MIN_FRAMES
      and sound is not None
      and np.sqrt(np.mean(sound.samples**2)) > LEAST_LEVEL
    ):
      yield shot


def forge(
  shot: ShotRecord, folder: pathlib.Path
) -> Iterator[tuple[Forgery, pathlib.Path]]:
  """Writes every kind of one clip, and yields each with its file.

  A file that is there already is not written again.

  Exposure, quality and what keeps the pitch are drawn by the clip's id, one
  for all kinds.
  """
  rng = np.random.default_rng(zlib.crc32(shot.id.encode()))
  exposure = float(rng.choice([0.0, rng.uniform(0.5, 1.0)]))
  crf = int(rng.integers(18, 27))
  stretcher = str(rng.choice(list(STRETCHERS)))
  count = min(shot.num_frames, MAX_FRAMES)
  images = [shot.image(i) for i in range(count)]
  height, width = (n - n % 2 for n in images[0].shape[:2])
  images = [image[:height, :width] for image in images]
  for spliced in spliced_too(len(images)):
    for number, (name, kind) in enumerate(KINDS.items()):
      plan, fps, change = _plan(len(images), shot.fps, kind.factor, spliced)
      plan = dataclasses.replace(plan, exposure=exposure)
      change_s = None if change is None else float(change / fps)
      path = folder / f"{shot.id.replace('/', '-')}-{spliced:d}{number}.mp4"
      if not path.exists():
        sound = _sound(
          _beginning(shot, count / float(shot.fps)),
          kind,
          change_s,
          STRETCHERS[stretcher],
        )
        with media.VideoWriter(
          path, fps, (width, height), crf=crf, audio=sound
        ) as writer:
          for image in resample.render_clip(images, plan):
            writer.write(image)
      changed = change_s if kind.factor != 1 else None
      used = stretcher if kind.sound == "stretched" else ""
      yield (
        Forgery(name, spliced, shot.id, shot.scene_group, changed, used),
        path,
      )


def seconds(shot: ShotRecord, kind: str, spliced: bool) -> float:
  """How long the file of a kind of a clip is, without making it."""
  frames = min(shot.num_frames, MAX_FRAMES)
  plan, fps, _ = _plan(frames, shot.fps, KINDS[kind].factor, spliced)
  return float(plan.length / fps)


def spliced_too(frames: int) -> tuple[bool, ...]:
  """Whether to splice, for each set of files that a clip gives."""
  return (False, True)[: 1 + (frames >= MIN_SPLICED_FRAMES)]


def _plan(
  frames: int, fps: Fraction, factor: float, spliced: bool
) -> tuple[resample.ClipPlan, Fraction, int | None]:
  """What to show, at which rate, and the first frame of the second part.

  Spliced clips show every other frame at half the rate, so that a part can
  be slowed by showing every frame. The last frames stay free for the shutter.
  """
  if not spliced:
    stride = max(factor, 1.0)
    length = int((frames - 1) // stride)
    plan = resample.ClipPlan(start=0, factor=stride, length=length)
    return plan, fps * Fraction(min(factor, 1.0)), None
  change = frames // 4
  rest = int((frames - 1 - 2 * change) // (2 * factor))
  curve = resample.splice_curve(change + rest, change, 1.0, factor)
  plan = resample.ClipPlan(start=0, factor=2.0, length=len(curve), curve=curve)
  return plan, fps / 2, change


def _beginning(shot: ShotRecord, seconds: float) -> media.Audio | None:
  """So much of a clip's sound, on a clock on which its picture begins at 0."""
  sound = shot.audio()
  if sound is None:
    return None
  last = round((seconds - shot.audio_start_s) * sound.rate)
  return media.Audio(sound.samples[:last], sound.rate, shot.audio_start_s)


def _sound(
  sound: media.Audio | None,
  kind: Kind,
  change_s: float | None,
  stretch: Callable[[np.ndarray, int, float], np.ndarray],
) -> media.Audio | None:
  """The sound of a kind."""
  if sound is None or kind.sound == "removed":
    return None
  change = _change_speed if kind.sound == "resampled" else stretch
  if change_s is None:
    samples = change(sound.samples, sound.rate, kind.factor)
    return media.Audio(samples, sound.rate, sound.start_s / kind.factor)
  middle = round((change_s - sound.start_s) * sound.rate)
  first, second = sound.samples[:middle], sound.samples[middle:]
  samples = np.concatenate([first, change(second, sound.rate, kind.factor)])
  return media.Audio(samples, sound.rate, sound.start_s)


def _change_speed(samples: np.ndarray, rate: int, factor: float) -> np.ndarray:
  return samples if factor == 1 else audio.change_speed(samples, rate, factor)


def _vocoder(samples: np.ndarray, rate: int, factor: float) -> np.ndarray:
  del rate
  return audio.stretch(samples, factor)


def _overlap_add(samples: np.ndarray, rate: int, factor: float) -> np.ndarray:
  """FFmpeg's atempo, waveform-similarity overlap-add: what editors use."""
  graph = av.filter.Graph()
  layout = "mono" if samples.shape[1] == 1 else "stereo"
  source = graph.add_abuffer(
    format="fltp", sample_rate=rate, layout=layout, time_base=Fraction(1, rate)
  )
  tempo = graph.add("atempo", str(factor))
  planar = graph.add("aformat", "sample_fmts=fltp")
  sink = graph.add("abuffersink")
  source.link_to(tempo)
  tempo.link_to(planar)
  planar.link_to(sink)
  graph.configure()
  given = np.ascontiguousarray(samples[:, :2].T)
  frame = av.AudioFrame.from_ndarray(given, "fltp", layout)
  frame.sample_rate, frame.pts = rate, 0
  graph.push(frame)
  graph.push(None)
  pieces = []
  while True:
    try:
      pieces.append(graph.pull().to_ndarray())
    except (av.BlockingIOError, av.EOFError):
      return np.concatenate(pieces, axis=1).T


STRETCHERS = {"phase vocoder": _vocoder, "overlap-add": _overlap_add}
"""Ways to change the pace of sound by a factor at its old pitch."""
