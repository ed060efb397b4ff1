"""Kills, full disks and races: is any file lost, or any result different?

Each verb is run whole once. Then it is killed (SIGKILL) at random moments, or
given a disk with no room (a tmpfs of random size, which takes root), or run
twice into one output; and is run again until it ends. The result has to be the
whole run's to the bit, nothing may be left over, and files of others with
tempting names, in every output folder, may not have changed.

Children are forked from a process that has imported everything: so the moments
fall into the work, and not into the start of Python.
"""

import argparse
import contextlib
import dataclasses
import hashlib
import json
import multiprocessing
import os
import pathlib
import random
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any

import numpy as np

from experiments.speed_generator import tracks
from speedflow import cli, media
from speedflow.data import records
from speedflow.output import atomic, claims
from speedflow.training import run_record

_TEMPTING = (
  *("holiday-slowmo-1.mp4", "my-slowmo-notes.txt", "files/.hidden.json"),
  *("my-video_folder-1.txt", "parts/notes.json", "features/notes.npz"),
  *(".clips.aaaaaaaaaaaa.csv", ".out.aaaaaaaaaaaa.mp4", "checkpoints.txt"),
  *("slowmo-train.tfrecord-notes", "run.json.bak", ".out.mp4.lock~"),
)
# What differs from run to run by its nature: sizes and times of files; paces.
_NOT_COMPARED = (claims.RECORD, "tensorboard", "checkpoints", "run.json")


@dataclasses.dataclass(frozen=True)
class Verb:
  """A command, by name, and what continues it after a kill."""

  name: str
  command: str
  again: str = ""
  # Writes a file to compare, since no two checkpoints are the same bytes.
  proof: str = ""


_TRAINED = (
  " --config=configs/speed_estimator.py:smoke --workdir={out}"
  " --config.data.records={data}/records/motion --config.num_steps=8"
  " --config.checkpoint_every=2 --config.eval_every=0"
)
_VERBS = (
  Verb(
    "superres",
    "superres {data}/clip.mp4 {out}/out.mp4 --factor 2 --crf 0",
    "--resume",
  ),
  Verb(
    "mine",
    "mine {data}/videos --out {out} --min-seconds 0.5 --dense --max-speed 8"
    " --workers 2",
  ),
  Verb("data build", "data build {data}/videos {out} --shards 3"),
  Verb(
    "attribute",
    "attribute --queries {data}/queries --data {data}/tracks --out {out}",
  ),
  Verb(
    "train",
    f"train {_TRAINED}",
    proof=f"eval {_TRAINED} --split=val --export={{out}}/weights.safetensors"
    " --overwrite",
  ),
)


def main(arguments: Sequence[str] | None = None) -> int:
  """Runs all trials, prints a table and writes a JSON file for each verb."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--out", required=True, type=pathlib.Path, help="folder")
  parser.add_argument("--kills", type=int, default=40, help="of each verb")
  parser.add_argument("--disks", type=int, default=10, help="of each verb")
  parser.add_argument("--pairs", type=int, default=4, help="of each verb")
  parser.add_argument("--files", type=int, default=2000, help="in one batch")
  parser.add_argument("--seed", type=int, default=0)
  parser.add_argument(
    "--only", default=",".join([*(v.name for v in _VERBS), "batch"])
  )
  options = parser.parse_args(arguments)
  wanted = options.only.split(",")
  failures = 0
  with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(root / "compiled")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    data = root / "data"
    _in_child(lambda: _make_inputs(data), data.parent / "inputs.log")
    for verb in (v for v in _VERBS if v.name in wanted):
      found = _try(verb, data, root / verb.name.replace(" ", "-"), options)
      failures += len(found["failures"])
      _write(options.out / f"{verb.name.replace(' ', '_')}.json", found)
    if "batch" in wanted:
      batch = _batch(root / "batch", options.files)
      print(json.dumps(batch))
      _write(options.out / "batch.json", {"files": batch})
  return 1 if failures else 0


def _write(path: pathlib.Path, result: dict[str, Any]) -> None:
  # In a process of its own: a fork of one that has JAX's threads may hang.
  spawn = multiprocessing.get_context("spawn")
  with futures.ProcessPoolExecutor(1, mp_context=spawn) as pool:
    circumstances = pool.submit(run_record.circumstances).result()
  with atomic.atomic_path(path) as temporary:
    text = json.dumps(result | circumstances, indent=2)
    temporary.write_text(text + "\n")


def _try(
  verb: Verb,
  data: pathlib.Path,
  root: pathlib.Path,
  options: argparse.Namespace,
) -> dict[str, Any]:
  """All trials of one verb."""
  trials = _Trials(
    verb, data, root, random.Random(f"{options.seed} {verb.name}")
  )
  result: dict[str, Any] = {"seed": options.seed, "failures": []}
  for kind, count, run in (
    ("kills", options.kills, trials.kill),
    ("full disks", options.disks, trials.fill),
    ("pairs", options.pairs, trials.race),
  ):
    outcomes = [run(number) for number in range(count)]
    failed = [outcome for outcome in outcomes if outcome]
    result[kind] = count
    result["failures"] += failed
    print(f"{verb.name}: {kind}: {count}, {len(failed)} failed", flush=True)
    for line in failed:
      print(f"  {line}", flush=True)
  return result


class _Trials:
  """Trials of one verb."""

  def __init__(
    self, verb: Verb, data: pathlib.Path, root: pathlib.Path, rng: random.Random
  ):
    self._verb, self._data, self._root, self._rng = verb, data, root, rng
    out = self._folder("whole")
    # The second is the measure of time: compiled programs are kept.
    for again in ("", "2"):
      out = self._folder(f"whole{again}")
      started = time.monotonic()
      code, log = self._run(out)
      self._seconds = time.monotonic() - started
      if code:
        raise RuntimeError(f"{verb.name} fails by itself: {log}")
    self._prove(out)
    self._whole = _content(out)
    self._bytes = sum(p.stat().st_size for p in out.rglob("*") if p.is_file())
    print(
      f"{verb.name}: {self._seconds:.1f} s, {len(self._whole)} files",
      flush=True,
    )

  def kill(self, number: int) -> str:
    """Kills a run once to three times; says what is wrong then, or ""."""
    out = self._folder(f"kill{number}")
    moments = []
    for _ in range(self._rng.randint(1, 3)):
      moments.append(round(self._rng.uniform(0, 1.1) * self._seconds, 3))
      child = self._start(out, again=len(moments) > 1)
      time.sleep(moments[-1])
      with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
      os.waitpid(child, 0)
    code, log = self._run(out, again=True)
    return self._judge(out, code, log, f"killed after {moments} s")

  def fill(self, number: int) -> str:
    """Gives a run too small a disk, and then more room."""
    out = self._root / f"disk{number}"
    out.mkdir(parents=True)
    least = 64 << 10
    size = int(least + self._rng.random() ** 2 * 1.2 * self._bytes)
    _mount(out, size)
    try:
      _place_bystanders(out)
      code, log = self._run(out)
      words = f"disk of {size} bytes"
      if code not in (0, 2) or "Traceback" in log:
        return f"{self._verb.name}, {words}: rc {code}, {log[-600:]}"
      _mount(out, 64 << 20, again=True)
      code, log = self._run(out, again=True)
      return self._judge(out, code, log, words)
    finally:
      subprocess.run(["umount", str(out)], check=True)

  def race(self, number: int) -> str:
    """Starts two runs into one output."""
    out = self._folder(f"pair{number}")
    logs = [out.with_suffix(f".{i}.log") for i in range(2)]
    children = [self._start(out, log=log) for log in logs]
    codes = [os.waitstatus_to_exitcode(os.waitpid(c, 0)[1]) for c in children]
    said = [log.read_text() for log in logs]
    words = f"two runs, rc {codes}"
    refused = [s for c, s in zip(codes, said, strict=True) if c == 2]
    if sorted(codes) not in ([0, 0], [0, 2]) or not all(
      "is writing it" in s for s in refused
    ):
      return f"{self._verb.name}, {words}: {said}"
    return self._judge(out, 0, "", words)

  def _judge(self, out: pathlib.Path, code: int, log: str, words: str) -> str:
    where = f"{self._verb.name}, {words}"
    if code:
      return f"{where}: rc {code}, {log[-600:]}"
    self._prove(out)
    found = _content(out)
    if found == self._whole:
      return ""
    missing = sorted(self._whole.keys() - found.keys())
    more = sorted(found.keys() - self._whole.keys())
    other = sorted(n for n in found if self._whole.get(n, found[n]) != found[n])
    return f"{where}: missing {missing}, left over {more}, different {other}"

  def _folder(self, name: str) -> pathlib.Path:
    out = self._root / name
    _place_bystanders(out)
    return out

  def _prove(self, out: pathlib.Path) -> None:
    if self._verb.proof:
      self._command(self._verb.proof, out)

  def _run(self, out: pathlib.Path, again: bool = False) -> tuple[int, str]:
    command = self._verb.command + (f" {self._verb.again}" if again else "")
    return self._command(command, out)

  def _command(self, command: str, out: pathlib.Path) -> tuple[int, str]:
    log = out.with_suffix(".log")
    child = _fork(self._job(command, out), log)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, log.read_text()

  def _start(
    self,
    out: pathlib.Path,
    again: bool = False,
    log: pathlib.Path | None = None,
  ) -> int:
    command = self._verb.command + (f" {self._verb.again}" if again else "")
    return _fork(self._job(command, out), log or out.with_suffix(".log"))

  def _job(self, command: str, out: pathlib.Path) -> Callable[[], int | None]:
    words = [w.format(data=self._data, out=out) for w in shlex.split(command)]
    return lambda: cli.main(words)


def _fork(job: Callable[[], int | None], log: pathlib.Path) -> int:
  """Runs a job in a process group of its own; returns its number."""
  sys.stdout.flush()
  child = os.fork()
  if child:
    with contextlib.suppress(OSError):
      os.setpgid(child, child)
    return child
  code = 70
  try:
    with contextlib.suppress(OSError):
      os.setpgid(0, 0)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    code = job() or 0
  except SystemExit as leaving:
    code = leaving.code if isinstance(leaving.code, int) else 70
  except BaseException:
    import traceback

    traceback.print_exc()
  finally:
    with contextlib.suppress(OSError):
      sys.stdout.flush()
      sys.stderr.flush()
    os._exit(code)


def _in_child(job: Callable[[], int | None], log: pathlib.Path) -> None:
  child = _fork(job, log)
  if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
    raise RuntimeError(log.read_text())


def _mount(folder: pathlib.Path, size: int, again: bool = False) -> None:
  options = f"{'remount,' if again else ''}size={size // 1024}k"
  subprocess.run(
    ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True
  )


def _place_bystanders(out: pathlib.Path) -> None:
  for name in _TEMPTING:
    path = out / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{name} is somebody's\n")


def _content(out: pathlib.Path) -> dict[str, str]:
  """Digests of all that has to be the same."""
  return {
    str(path.relative_to(out)): _digest(path)
    for path in sorted(out.rglob("*"))
    if path.is_file()
    and not set(path.relative_to(out).parts) & set(_NOT_COMPARED)
  }


def _digest(path: pathlib.Path) -> str:
  data = path.read_bytes()
  if path.name == "metrics.jsonl":
    lines = [json.loads(line) for line in data.splitlines()]
    data = json.dumps(
      [{"step": x["step"], "loss": x.get("train/loss")} for x in lines]
    ).encode()
  if path.name.endswith(".index"):
    # It names the time of change of the file beside it.
    with np.load(path) as index:
      data = b"".join(index[n].tobytes() for n in ("size", "crc", "offsets"))
  return hashlib.sha256(data).hexdigest()


def _make_inputs(data: pathlib.Path) -> None:
  """Small videos, records and tracks."""
  rng = np.random.default_rng(0)
  (data / "videos").mkdir(parents=True)
  (data / "queries").mkdir()
  for number in range(6):
    _film(rng, data / "videos" / f"{number}.mp4", 45)
  (data / "videos" / "bad.mp4").write_bytes(b"no video")
  _film(rng, data / "clip.mp4", 30)
  _film(rng, data / "queries" / "moving.mp4", 30)
  clips = data / "records" / "clips"
  for words in (
    f"data procedural {clips} --scenes 12 --workers 1",
    f"data motion {clips} {data / 'records' / 'motion'} --looks 1 --workers 1",
  ):
    if cli.main(shlex.split(words)):
      raise RuntimeError(words)
  tracks.build(clips, data / "whole")
  # More files are more moments.
  (whole,) = sorted((data / "whole").glob("*-train.tfrecord-*"))
  source = records.RecordSource(whole)
  for shard in range(3):
    path = records.shard_path(
      data / "tracks", "toy", "train", shard, 3, "tfrecord"
    )
    with records.RecordWriter(path) as writer:
      for index in range(shard, min(len(source), 9), 3):
        writer.write(source[index])
    records.RecordSource(path)
  for split in ("train", "val"):
    records.RecordSource(
      sorted((data / "records" / "motion").glob(f"*-{split}.tfrecord-*"))
    )


def _film(rng: np.random.Generator, path: pathlib.Path, frames: int) -> None:
  texture = rng.integers(0, 256, (30, 200, 3), dtype=np.uint8)
  texture = texture.repeat(4, axis=0)[:96].repeat(4, axis=1)
  step = int(rng.integers(1, 5))
  with media.VideoWriter(path, 30, (128, 96)) as writer:
    for start in range(0, step * frames, step):
      image = np.roll(texture, -start, axis=1)[:, :128]
      writer.write(np.ascontiguousarray(image))


def _batch(folder: pathlib.Path, count: int) -> dict[str, Any]:
  """Memory and outputs of one call with very many files."""
  folder.mkdir()
  _film(np.random.default_rng(1), folder / "0.mp4", 40)
  found = {}
  for number in (count // 20, count):
    names = [folder / f"{n}.mp4" for n in range(number)]
    for name in names:
      if not name.exists():
        os.link(names[0], name)
    out = [f"--csv={folder}/{number}.csv", f"--plot={folder}/{number}.html"]
    log = folder / f"{number}.jsonl"

    def job(names=names, out=out, folder=folder, number=number) -> int:
      code = cli.main(["estimate", "--json", *map(str, names), *out])
      peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
      (folder / f"{number}.peak").write_text(f"{peak}")
      return code

    started = time.monotonic()
    _in_child(job, log)
    found[str(number)] = {
      "seconds": round(time.monotonic() - started, 1),
      "peak_mib": int((folder / f"{number}.peak").read_text()) // 1024,
      "json_lines": len(log.read_text().splitlines()),
      "csv_rows": len((folder / f"{number}.csv").read_text().splitlines()) - 1,
      "page_mib": round((folder / f"{number}.html").stat().st_size / 2**20, 1),
    }
  return found


if __name__ == "__main__":
  sys.exit(main())
