r"""Motion records, small enough to take to a machine rented for minutes.

  python -m experiments.speed_estimator.pack pack --records=records/motion \
    --out=runs/gpu-base/pack
  python -m experiments.speed_estimator.pack unpack runs/gpu-base/pack \
    --out=runs/gpu-base/records

A pack holds the training and validation splits, never the test split: a part
of every training shot's maps, and of validation those that the evaluation
while training reads, whole. Values are rounded in the units in which the
network sees them (logarithms of flow and of grey levels), to one byte, and
compressed without further loss. Unpacked, they are ordinary records of motion.
What the rounding costs: `pack_loss.py`.

Files of a pack: `pack.json`, which says how it was made and knows the sha256 of
the others; and of each split `SPLIT.xz`, of records one after the other. Of
each: the length of what follows (uint32, little-endian), JSON (its texts and
numbers, and how many maps there are of each stride), and by stride the levels,
int8 [8, t, 12, 16], channels first, which compresses best.
"""

import argparse
import dataclasses
import hashlib
import json
import lzma
import pathlib
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from experiments.speed_estimator import protocol
from speedflow.data import motion, records
from speedflow.errors import SpeedflowError
from speedflow.evaluation import report
from speedflow.output import atomic, claims

SPLITS = ("train", "val")

FACTS = "pack.json"
"""Says what a pack holds, and how it was made."""

STEP = 0.15
"""Between levels, in the units of `motion_net.encode_maps`; see `pack_loss`."""

LIMIT_MIB = 45.0

_FORMAT = 1
_LEVELS = 127
_LENGTH = struct.Struct("<I")
# Flow, then grey levels: x enters as log(1 + scale x) / unit.
_SCALE = np.array([4.0] * 4 + [1.0] * 4, np.float32)
_UNIT = np.array([2.0] * 4 + [3.0] * 4, np.float32)
_MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Choice:
  """Which maps of the training records are packed.

  Attributes:
    looks: of each shot: the one that is not augmented, and others drawn.
    most_maps: of each look at each stride, from a place that is drawn.
    seed: of what is drawn.
  """

  looks: int = 2
  most_maps: int = 47
  seed: int = 0

  def of(self, source: records.RecordSource) -> Iterator[motion.MotionRecord]:
    """Yields the chosen parts of training records, in their order."""
    looks: dict[str, list[int]] = {}
    for record in map(motion.MotionRecord.decode, source):
      looks.setdefault(record.id, []).append(record.appearance)
    kept = {name: self._looks(name, there) for name, there in looks.items()}
    for record in map(motion.MotionRecord.decode, source):
      if record.appearance in kept[record.id]:
        yield dataclasses.replace(record, maps=self._maps(record))

  def _looks(self, name: str, there: Sequence[int]) -> list[int]:
    first, *others = sorted(there)
    drawn = np.random.default_rng([self.seed, *name.encode()])
    return [first, *drawn.permutation(others)[: self.looks - 1].tolist()]

  def _maps(self, record: motion.MotionRecord) -> dict[int, np.ndarray]:
    drawn = np.random.default_rng(
      [self.seed, record.appearance, *record.id.encode()]
    )
    parts = {}
    for stride, maps in record.maps.items():
      last = max(len(maps) - self.most_maps, 0)
      start = int(drawn.integers(0, last, endpoint=True))
      parts[stride] = maps[start : start + self.most_maps]
    return parts


def main(argv: Sequence[str] | None = None) -> int:
  """Packs or unpacks; see the module."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  verbs = parser.add_subparsers(dest="verb", required=True)
  packing = verbs.add_parser("pack", help="from records of motion to a pack")
  packing.add_argument("--records", type=pathlib.Path, required=True)
  packing.add_argument("--out", type=pathlib.Path, required=True)
  packing.add_argument("--step", type=float, default=STEP)
  packing.add_argument("--looks", type=int, default=Choice.looks)
  packing.add_argument("--most-maps", type=int, default=Choice.most_maps)
  packing.add_argument("--limit-mib", type=float, default=LIMIT_MIB)
  unpacking = verbs.add_parser("unpack", help="from a pack to records")
  unpacking.add_argument("pack", type=pathlib.Path)
  unpacking.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  if args.verb == "unpack":
    count = unpack(args.pack, args.out)
    print(f"{args.out}: {count} records of motion")
    return 0
  facts = pack(
    args.records,
    args.out,
    Choice(args.looks, args.most_maps),
    step=args.step,
    limit_mib=args.limit_mib,
  )
  size = sum(file["bytes"] for file in facts["files"].values())
  print(
    f"{args.out}: {sum(f['records'] for f in facts['files'].values())} records,"
    f" {sum(f['maps'] for f in facts['files'].values())} maps, "
    f"{size / _MIB:.1f} MiB"
  )
  return 0


def levels(maps: np.ndarray, step: float) -> np.ndarray:
  """Rounds motion maps in the units in which the network sees them.

  Args:
    maps: float [t, 12, 16, 8].
    step: between levels; the error is half of one.

  Returns:
    int8 [t, 12, 16, 8].

  Raises:
    SpeedflowError: values are not finite, or beyond the highest level.
  """
  maps = maps.astype(np.float32)
  seen = np.sign(maps) * np.log1p(_SCALE * np.abs(maps)) / _UNIT
  rounded = np.rint(seen / np.float32(step))
  # A comparison that holds for no nan.
  if not (np.abs(rounded) <= _LEVELS).all():
    raise SpeedflowError(
      f"motion maps with values that are not finite, or beyond {_LEVELS} "
      f"levels of {step:g}: build the records again, or pack with a larger "
      "--step"
    )
  return rounded.astype(np.int8)


def restored(rounded: np.ndarray, step: float) -> np.ndarray:
  """The maps that levels stand for, float16 [t, 12, 16, 8]."""
  seen = rounded.astype(np.float32) * np.float32(step)
  maps = np.sign(seen) * np.expm1(np.abs(seen) * _UNIT) / _SCALE
  return maps.astype(np.float16)


def pack(
  source: pathlib.Path,
  out: pathlib.Path,
  choice: Choice,
  *,
  step: float = STEP,
  limit_mib: float = LIMIT_MIB,
) -> dict[str, Any]:
  """Packs the training and validation splits.

  Args:
    source: folder of motion records.
    out: folder of the pack.
    choice: which of the training maps.
    step: as of `levels`.
    limit_mib: what the pack may take, MiB.

  Returns:
    What `pack.json` holds.

  Raises:
    SpeedflowError: there are no records, or the pack would be too large.
  """
  shards = {split: records.split_shards(source, split) for split in SPLITS}
  with claims.claim("pack", folders=[out], inputs=[source]):
    parts = {}
    for split, paths in shards.items():
      opened = records.RecordSource(paths)
      chosen = choice.of(opened) if split == "train" else _validation(opened)
      parts[split] = _compressed(chosen, step)
    size = sum(len(data) for data, _ in parts.values())
    if size > limit_mib * _MIB:
      raise SpeedflowError(
        f"{out}: the pack would take {size / _MIB:.1f} MiB of {limit_mib:g}; "
        "lower --most-maps or --looks, or take a larger --step or --limit-mib"
      )
    facts = {
      "format": _FORMAT,
      "step": step,
      **dataclasses.asdict(choice),
      "source_fingerprint": records.fingerprint(*shards.values()),
      "files": {
        f"{split}.xz": {
          "bytes": len(data),
          "sha256": hashlib.sha256(data).hexdigest(),
          **counts,
        }
        for split, (data, counts) in parts.items()
      },
    }
    for split, (data, _) in parts.items():
      with atomic.atomic_path(out / f"{split}.xz") as path:
        path.write_bytes(data)
    with atomic.atomic_path(out / FACTS) as path:
      path.write_text(json.dumps(facts, indent=2) + "\n")
  return facts


def unpack(folder: pathlib.Path, out: pathlib.Path) -> int:
  """Makes ordinary records of a pack; those that are there already are kept.

  Args:
    folder: of the pack.
    out: folder of the records.

  Returns:
    How many records they are.

  Raises:
    SpeedflowError: the pack is damaged or not there, or of another format.
  """
  facts = read_facts(folder)
  count = sum(file["records"] for file in facts["files"].values())
  with claims.claim("unpack", folders=[out], inputs=[folder]):
    # Written last: where it is the same, so is all else.
    done = out / FACTS
    if done.exists() and json.loads(done.read_text()) == facts:
      return count
    for name, file in facts["files"].items():
      data = _read(folder / name)
      if hashlib.sha256(data).hexdigest() != file["sha256"]:
        raise _damaged(folder / name, "its sha256 is another")
      split = name.removesuffix(".xz")
      shard = records.shard_path(out, "packed", split, 0, 1, "tfrecord")
      with records.RecordWriter(shard) as writer:
        for record in _records(lzma.decompress(data), facts["step"]):
          writer.write(record.encode())
    with atomic.atomic_path(done) as path:
      path.write_text(json.dumps(facts, indent=2) + "\n")
  return count


def read_facts(folder: pathlib.Path) -> dict[str, Any]:
  """What `pack.json` holds.

  Raises:
    SpeedflowError: it is not there, unreadable, or of another format.
  """
  path = folder / FACTS
  try:
    facts = json.loads(_read(path))
    known = facts["format"] == _FORMAT
    wanted = {f"{split}.xz" for split in SPLITS}
    if known and wanted != facts["files"].keys():
      raise KeyError("files")
  except (ValueError, KeyError, TypeError, AttributeError) as error:
    raise _damaged(path, f"{error!r}") from error
  if not known:
    raise SpeedflowError(
      f"{path}: a pack of another format; pack again with this version"
    )
  return facts


def _validation(
  source: records.RecordSource,
) -> Iterator[motion.MotionRecord]:
  """The evaluation while training reads three strides, wherever they are."""
  for record in map(motion.MotionRecord.decode, source):
    maps = {
      stride: record.maps[stride]
      for stride in protocol.REALTIME_STRIDES
      if stride in record.maps
    }
    if maps and not record.appearance:
      yield dataclasses.replace(record, maps=maps)


def _compressed(
  chosen: Iterable[motion.MotionRecord], step: float
) -> tuple[bytes, dict[str, int]]:
  """A split's file, and how many records and maps it holds."""
  compressor = lzma.LZMACompressor()
  parts, count, maps = [], 0, 0
  for record in chosen:
    head = {
      field.name: getattr(record, field.name)
      for field in dataclasses.fields(record)
      if field.name != "maps"
    }
    head["maps"] = [[stride, len(x)] for stride, x in record.maps.items()]
    text = json.dumps(head).encode()
    parts.append(compressor.compress(_LENGTH.pack(len(text)) + text))
    for part in record.maps.values():
      rounded = np.moveaxis(levels(part, step), -1, 0)
      parts.append(compressor.compress(rounded.tobytes()))
      maps += len(part)
    count += 1
  parts.append(compressor.flush())
  return b"".join(parts), {"records": count, "maps": maps}


def _records(data: bytes, step: float) -> Iterator[motion.MotionRecord]:
  """What `_compressed` was given, rounded."""
  place = 0
  while place < len(data):
    (length,) = _LENGTH.unpack_from(data, place)
    place += _LENGTH.size
    head = json.loads(data[place : place + length])
    place += length
    maps = {}
    for stride, count in head.pop("maps"):
      shape = (len(motion.CHANNELS), count, *motion.MAP_SIZE)
      rounded = np.frombuffer(data, np.int8, int(np.prod(shape)), place)
      place += rounded.size
      maps[stride] = restored(np.moveaxis(rounded.reshape(shape), 0, -1), step)
    yield motion.MotionRecord(**head, maps=maps)


def _read(path: pathlib.Path) -> bytes:
  try:
    return path.read_bytes()
  except FileNotFoundError as error:
    raise SpeedflowError(
      f"{path}: no such file; `make gpu-base-pack` writes a pack where the "
      "records are"
    ) from error


def _damaged(path: pathlib.Path, cause: str) -> SpeedflowError:
  return SpeedflowError(
    f"{path}: damaged ({cause}); copy the pack again, or pack again"
  )


if __name__ == "__main__":
  sys.exit(report.run(main))
