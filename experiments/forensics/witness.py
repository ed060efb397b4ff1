r"""What picture and sound show of every forgery of a split.

  python -m experiments.forensics.witness --split val \
    --out runs/forensics/val.jsonl

Forges each clip (`forgeries`), examines the files, and writes one line each.
Files that were forged before are taken as they are.
Verdicts are left to `choose` and `evaluate`, which then take seconds.
"""

import argparse
import dataclasses
import hashlib
import json
import os
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import av

from experiments.forensics import forgeries
from speedflow import errors
from speedflow.clocks import reading
from speedflow.data.records import split_shards
from speedflow.detect import answer, change_detector, detector, verdict
from speedflow.estimate import estimator, sound_speed
from speedflow.evaluation import report
from speedflow.output.atomic import atomic_path
from speedflow.pictures import shots


@dataclasses.dataclass(frozen=True)
class Testimony:
  """A forgery, and what was found of it.

  Attributes:
    forgery: what was done.
    evidence: of picture and sound.
    sound: status of the sound.
  """

  forgery: forgeries.Forgery
  evidence: verdict.Evidence
  sound: str

  def to_json(self) -> dict[str, Any]:
    """Everything as JSON-ready values."""
    return dataclasses.asdict(self) | {
      "evidence": {
        "changes": [
          {sense: _fields(change) for sense, change in found.items()}
          for found in self.evidence.changes
        ],
        "stretches": [
          dataclasses.asdict(stretch) for stretch in self.evidence.stretches
        ],
        "hears": self.evidence.audible,
        "stretched": self.evidence.stretched,
        "clocks": [dataclasses.asdict(clock) for clock in self.evidence.clocks],
      }
    }

  @classmethod
  def from_json(cls, value: dict[str, Any]) -> "Testimony":
    """What `to_json` gave."""
    evidence = value["evidence"]
    return cls(
      forgeries.Forgery(**value["forgery"]),
      verdict.Evidence(
        tuple(
          {
            sense: answer.Change(**change, seen_by=(sense,))
            for sense, change in found.items()
          }
          for found in evidence["changes"]
        ),
        tuple(
          answer.Stretch(
            stretch["start_s"],
            stretch["end_s"],
            {
              sense: answer.Reading(*numbers)
              for sense, numbers in stretch["speeds"].items()
            },
          )
          for stretch in evidence["stretches"]
        ),
        evidence["hears"],
        evidence["stretched"],
        tuple(
          reading.Reading(
            **clock
            | {
              "modes": tuple(reading.Mode(**mode) for mode in clock["modes"]),
              "jumps_s": tuple(clock["jumps_s"]),
            }
          )
          for clock in evidence["clocks"]
        ),
      ),
      value["sound"],
    )


def read(path: pathlib.Path) -> list[Testimony]:
  """Reads what this module wrote.

  Raises:
    SpeedflowError: there is no such file.
  """
  try:
    lines = path.read_text().splitlines()
  except FileNotFoundError as error:
    raise errors.SpeedflowError(
      f"{path}: no such file; experiments.forensics.witness writes it"
    ) from error
  return [Testimony.from_json(json.loads(line)) for line in lines]


class OncePerPicture:
  """A change detector or estimator that is run on the same picture but once.

  The kinds of a clip share their pictures, whatever sound goes with them.
  """

  def __init__(self, look: Callable[..., Any]):
    self._look = look
    self._seen: dict[tuple[str, Any], Any] = {}

  def detect(self, video: shots.Picture, /, **given: Any) -> Any:
    """What is seen in the picture of a file."""
    key = _picture_digest(video.path), given.get("changes_s")
    if key not in self._seen:
      self._seen[key] = self._look(video, **given)
    return self._seen[key]

  estimate = detect


def examine(
  records: pathlib.Path,
  split: str,
  folder: pathlib.Path,
  sees: detector.Detector,
) -> Iterator[Testimony]:
  """Forges the clips of a split in a folder and examines every file."""
  paths = split_shards(records, split, "records", "`make clips` writes them")
  for shot in forgeries.clips(paths):
    for forgery, path in forgeries.forge(shot, folder):
      evidence, found = sees.examine(path)
      assert found.sound is not None  # Of a file that could be read.
      yield Testimony(forgery, evidence, found.sound.status)


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the examination; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument(
    "--records", type=pathlib.Path, default=pathlib.Path("records/clips")
  )
  parser.add_argument("--split", default="val")
  parser.add_argument(
    "--files",
    type=pathlib.Path,
    default=pathlib.Path("runs/forensics/files"),
    help="folder for the forged files, which are kept",
  )
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  sees = detector.Detector(
    OncePerPicture(change_detector.load_change_detector().detect),
    sound_speed.load_sound_model(),
    OncePerPicture(estimator.load_estimator().estimate),
  )
  with atomic_path(args.out) as path, path.open("w") as out:
    for testimony in examine(args.records, args.split, args.files, sees):
      print(json.dumps(testimony.to_json()), file=out, flush=True)
  return 0


def _picture_digest(path: str | os.PathLike[str]) -> str:
  """Names the encoded picture of a file, whatever its sound."""
  digest = hashlib.sha256()
  with av.open(str(path)) as container:
    for packet in container.demux(video=0):
      digest.update(bytes(packet))
  return digest.hexdigest()


def _fields(change: verdict.Found) -> dict[str, float]:
  return {
    name: getattr(change, name)
    for name in ("time_s", "probability", "ratio", "ratio_low", "ratio_high")
  }


if __name__ == "__main__":
  sys.exit(report.run(main))
