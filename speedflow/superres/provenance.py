"""The JSON beside a slowed video: what each of its frames is."""

import hashlib
import json
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from speedflow.errors import SpeedflowError
from speedflow.superres.frames import Made


def path_of(video: str | os.PathLike[str]) -> pathlib.Path:
  """Where the JSON of a video is."""
  return pathlib.Path(f"{os.fspath(video)}.json")


def note(
  made: Made, time: Fraction, input_times: Sequence[Fraction]
) -> dict[str, Any]:
  """What is noted of a frame.

  Args:
    made: the frame.
    time: when it is shown in the output, seconds.
    input_times: of all frames of the input, seconds.
  """
  planned, doubt = made.planned, made.doubt
  noted: dict[str, Any] = {
    "time": str(time),
    "input_time": str(planned.time),
    "kind": planned.kind,
    "sources": planned.sources,
    "source_times": [str(input_times[number]) for number in planned.sources],
    "share": round(planned.share, 6),
    "uncertainty": 0.0,
  }
  if len(planned.sources) == 2:
    noted["beside"] = [side and side.number for side in planned.beside]
  if planned.kind == "held":
    # What was there meanwhile is not known at all.
    noted["uncertainty"] = None
  elif doubt is not None:
    noted["uncertainty"] = round(doubt.mean, 3)
    noted["worst"] = {
      "uncertainty": round(doubt.worst, 3),
      "x": round(doubt.x, 4),
      "y": round(doubt.y, 4),
    }
  return noted


def write(
  path: pathlib.Path,
  facts: Mapping[str, Any],
  pieces: Iterable[list[dict[str, Any]]],
) -> dict[str, int]:
  """Writes the JSON, a line for each frame; memory does not grow with it.

  Args:
    path: the file.
    facts: what holds for the whole video.
    pieces: notes of its frames, some at a time.

  Returns:
    Number of frames of each kind.
  """
  counts: dict[str, int] = {}
  with open(path, "w") as file:
    file.write(json.dumps(facts)[:-1] + ', "frames": [')
    separator = "\n"
    for notes in pieces:
      for noted in notes:
        file.write(separator + json.dumps(noted))
        separator = ",\n"
        counts[noted["kind"]] = counts.get(noted["kind"], 0) + 1
    file.write("\n]}\n")
  return counts


def is_provenance(path: pathlib.Path) -> bool:
  """Whether a file is one that `write` wrote."""
  with path.open("rb") as file:
    start = file.read(4096)
  return start.startswith(b'{"input": ') and b'"weights_sha256": ' in start


def is_ours(video: pathlib.Path) -> bool:
  """Whether a video is the one that the JSON beside it is of."""
  try:
    facts = read(video)
  except SpeedflowError:
    return False
  return facts.get("output") == video.name


def read(video: str | os.PathLike[str]) -> dict[str, Any]:
  """Reads the JSON beside a video.

  Raises:
    SpeedflowError: it is not there, or is none, or of another video.
  """
  path = path_of(video)
  try:
    found = json.loads(path.read_text())
    size = os.path.getsize(video)
  except (OSError, ValueError) as error:
    raise SpeedflowError(
      f"{path}: not readable as what each frame of {video} is; make the video"
      " again with speedflow superres"
    ) from error
  if found.get("output_bytes", size) != size:
    raise SpeedflowError(
      f"{path}: is of another video than {video}, which has {size} bytes"
      f" instead of {found['output_bytes']}; make the video again with"
      " speedflow superres"
    )
  return found


def sha256(path: str | os.PathLike[str]) -> str:
  """The SHA-256 digest of a file, in hexadecimal."""
  with open(path, "rb") as file:
    return hashlib.file_digest(file, "sha256").hexdigest()
