"""A page about each file: what speaks for the verdict, and its limits."""

import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np

from speedflow import media
from speedflow.detect import answer as detect_lib
from speedflow.detect import plot, verdict
from speedflow.estimate import report
from speedflow.pages import page

_STRIP_FRAMES = 8
_STRIP_HEIGHT = 96
# Frames around a change are shown this far apart.
_STRIP_STEP_S = 0.12

_LEAD = (
  "speedflow watches the picture and listens to the sound, each by itself, "
  "and weighs what they say. Of what the file says of itself it takes only "
  "the times of frames."
)

_VERDICTS: dict[detect_lib.Verdict, str] = {
  "untouched": "untouched",
  "sped_up": "sped up",
  "slowed_down": "slowed down",
  "mixed": "sped up and slowed down",
  "conflict": "picture and sound in conflict",
  "uncertain": "uncertain",
}


def write(
  path: str | os.PathLike[str], detections: Sequence[detect_lib.Detection]
) -> None:
  """Writes the page; videos are linked relative to its folder."""
  path = pathlib.Path(path)
  page.write(
    path,
    "speedflow.detect",
    "evidence.html",
    title="Was its time changed?",
    lead=_LEAD,
    files=(_shown(found, path.parent) for found in detections),
  )


def limits(found: detect_lib.Detection) -> list[str]:
  """What the evidence about a file cannot tell, in sentences."""
  told = []
  if found.sound is None or found.sound.status == "missing":
    told.append(
      "There is no sound to check the picture against: a retimed picture of "
      "which the sound was removed looks like footage that never had any."
    )
  elif found.sound.status == "silent":
    told.append("The sound is silent, and says nothing.")
  elif found.sound.status == "music":
    told.append(
      "The sound is music, which is usually laid over the finished picture: "
      "its speed is not the picture's."
    )
  elif found.sound.speed is None:
    told.append("Nothing in the sound has a pace or pitch that is known.")
  if not any("picture" in s.speeds for s in found.stretches):
    told.append(
      "The picture shows nothing of a known pace: it is still, dark or short."
    )
  if any(s.end_s - s.start_s < 1 for s in found.stretches):
    told.append("A stretch of less than a second tells little of its speed.")
  told += [
    "Footage filmed at many frames per second and played slowly by the camera "
    "itself counts as slowed down: who slowed it cannot be seen.",
    "A small change (less than about a quarter) or a slow ramp can be missed, "
    "as can one that was hidden in a cut.",
    "That picture and sound agree does not prove that nothing was cut out, "
    "put in or replaced.",
  ]
  return told


def _shown(found: detect_lib.Detection, folder: pathlib.Path) -> dict[str, Any]:
  """What the page shows of a file, which is linked relative to `folder`.

  Its pictures are made when the page has come to them.
  """
  video = pathlib.Path(found.file)
  shown = {"found": found, "name": video.name}
  if found.verdict is None:
    return shown
  first_s, end_s = found.stretches[0].start_s, found.stretches[-1].end_s
  frames = report.film_strip(
    video, end_s - first_s, _STRIP_FRAMES, _STRIP_HEIGHT
  )
  poster = frames[0][1] if frames else None
  evidence = plot.evidence_svg(found).encode()
  return shown | {
    "duration_s": end_s - first_s,
    "verdict": _VERDICTS[found.verdict],
    "player": page.player(video, folder, poster),
    "evidence": page.data_uri("image/svg+xml", evidence),
    "histories": [
      (_VERDICTS[name], probability)
      for name, probability in verdict.likeliest_first(found.probabilities)
    ],
    "strips": _strips(found, frames),
    "limits": limits(found),
  }


def _heading(change: detect_lib.Change) -> str:
  direction = "faster" if change.ratio >= 1 else "slower"
  ends = sorted((change.ratio_low, change.ratio_high))
  if change.ratio < 1:
    ends = [1 / end for end in reversed(ends)]
  return (
    f"Around {change.time_s:.2f} s: {max(change.ratio, 1 / change.ratio):.3g} "
    f"times {direction} ({ends[0]:.3g}-{ends[1]:.3g}), found by "
    f"{' and '.join(change.seen_by)} ({change.probability:.0%})"
  )


def _strips(
  found: detect_lib.Detection, frames: Sequence[tuple[float, np.ndarray]]
) -> Iterator[dict[str, Any]]:
  """The film strip of the whole video, `frames`, and those of its changes."""
  first_s = found.stretches[0].start_s
  yield _strip("The whole video", frames, first_s, None)
  for change in found.changes:
    around = _frames_around(pathlib.Path(found.file), change.time_s)
    if around:
      yield _strip(_heading(change), around, first_s, change.time_s)


def _strip(
  heading: str,
  frames: Sequence[tuple[float, np.ndarray]],
  first_s: float,
  change_s: float | None,
) -> dict[str, Any]:
  """A film strip; `frames` have times after the first frame."""
  return {
    "heading": heading,
    "frames": [
      {
        "after_first_s": after_first_s,
        "time_s": after_first_s + first_s,
        "uri": page.jpeg_uri(image),
        "changed": change_s is not None
        and after_first_s + first_s >= change_s - 1e-3,
      }
      for after_first_s, image in frames
    ],
  }


def _frames_around(
  video: pathlib.Path, time_s: float
) -> list[tuple[float, np.ndarray]]:
  """Frames before and after a time, small, with times after the first one."""
  wanted = time_s + _STRIP_STEP_S * np.arange(-_STRIP_FRAMES // 2, 0)
  wanted = np.append(
    wanted, time_s + _STRIP_STEP_S * np.arange(_STRIP_FRAMES // 2)
  )
  with media.VideoReader(video) as reader:
    first = float(next(iter(reader)).time)
  frames: list[tuple[float, np.ndarray]] = []
  with media.VideoReader(video, start_s=max(first, wanted[0])) as reader:
    for frame in reader:
      if len(frames) == len(wanted):
        break
      if float(frame.time) < wanted[len(frames)] - 1e-3:
        continue
      height = _STRIP_HEIGHT
      width = max(
        1, round(frame.image.shape[1] * height / frame.image.shape[0])
      )
      image = cv2.resize(
        frame.image, (width, height), interpolation=cv2.INTER_AREA
      )
      frames.append((float(frame.time) - first, image))
  return frames
