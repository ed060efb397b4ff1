r"""Closes the loop of `speedflow retime`, beside FFmpeg's filters.

  python -m experiments.retime.evaluate --split test \
    --out experiments/retime/results/test.json

Needs SPEEDFLOW_DATA, a folder of real clips. For each high-rate clip: does the
retimed video play as much faster or slower as was asked, by `speedflow
estimate`; how near are made frames to the true ones between those that were
given; and how near is the blur of what plays faster to true averages?
"""

import argparse
import collections
import csv
import math
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from experiments.clocks import retiming
from experiments.retime import footage
from experiments.temporal_superres import baselines
from speedflow.estimate import estimator, witness
from speedflow.evaluation import frames, real_clips, report
from speedflow.retime import video
from speedflow.retime.options import Options
from speedflow.training import run_record

OURS, FFMPEG = "speedflow retime", "FFmpeg"

_OUT_CRF = Options.crf
# Frames of each clip that are retimed, by the speed.
_LENGTHS = {0.25: 48, 0.5: 64, 2.0: 128, 4.0: 128}
_RAMP, _RAMP_LENGTH = (0.5, 2.0), 64
_SLOWDOWNS = (2, 4)
# For blur, every so manieth true frame is given.
_GIVEN = 4
_FASTER = (2, 4)


class Row(NamedTuple):
  """One figure of one method on one clip.

  Attributes:
    figure: what was measured.
    method: `OURS` or `FFMPEG`.
    group: scene group of the clip.
    clip: its name.
    value: octaves off, or dB.
    tells: whether the estimates that it stems from were sure.
  """

  figure: str
  method: str
  group: str
  clip: str
  value: float
  tells: bool = True


Speed = Callable[[pathlib.Path], tuple[float | None, bool]]


def speeds(
  clip: footage.Footage, folder: pathlib.Path, speed_of: Speed
) -> list[Row]:
  """How far re-estimated speeds are from those asked for.

  Args:
    clip: to be retimed.
    folder: for files.
    speed_of: estimates the speed of a file, and whether it is sure.
  """
  rows = []
  for asked in (*_LENGTHS, None):
    length = _LENGTHS[asked] if asked else _RAMP_LENGTH
    images = clip.images[:length]
    source = folder / "in.mp4"
    footage.write(source, images, clip.fps)
    if asked:
      options, expected = Options(speed=asked, overwrite=True), asked
      recipe = _constant(asked)
    else:
      length_s = len(images) / float(clip.fps)
      options = Options(curve=_ramp(folder, length_s), overwrite=True)
      # Over the output's time, the mean in octaves.
      expected, recipe = _ramp_mean(), ramped(length_s)
    out, other = folder / "out.mp4", folder / "ffmpeg.mp4"
    video.retime(source, out, options)
    made = list(retiming.retimed(footage.read(source), clip.fps, recipe))
    footage.write(other, made, clip.fps, _OUT_CRF)
    before, sure = speed_of(source)
    name = f"speed {asked:g}" if asked else "ramp 0.5 to 2"
    for method, path in ((OURS, out), (FFMPEG, other)):
      after, also = speed_of(path)
      if before and after:
        off = abs(math.log2(after / before / expected))
        rows.append(
          Row(name, method, clip.group, clip.name, off, sure and also)
        )
  return rows


def slowed(clip: footage.Footage, folder: pathlib.Path) -> list[Row]:
  """PSNR of frames made between every second or fourth true one."""
  rows = []
  for factor in _SLOWDOWNS:
    images = clip.images[: _LENGTHS[1 / factor]]
    source, out, other = (folder / f"{n}.mp4" for n in ("in", "out", "ffmpeg"))
    footage.write(source, images[::factor], clip.fps)
    video.retime(
      source, out, Options(speed=1 / factor, exposure=0.0, overwrite=True)
    )
    given = footage.read(source)
    made = footage.read(out)
    last = (len(given) - 1) * factor
    between = [k for k in range(last) if k % factor]
    smooth = baselines.minterpolate(given, [k / factor for k in between])
    footage.write(other, smooth, clip.fps, _OUT_CRF)
    figure = f"PSNR at speed {1 / factor:g}"
    for method, found in (
      (OURS, [made[k] for k in between]),
      (FFMPEG, footage.read(other)),
    ):
      rows.append(
        _psnr(figure, method, clip, found, [images[k] for k in between])
      )
  return rows


def blurred(clip: footage.Footage, folder: pathlib.Path) -> list[Row]:
  """PSNR of a shutter of 180 degrees, against averages of true frames."""
  rows = []
  source, out = folder / "in.mp4", folder / "out.mp4"
  given = clip.images[::_GIVEN]
  footage.write(source, given, clip.fps)
  for factor in _FASTER:
    step = factor * _GIVEN
    truths = footage.exposed(clip.images, step, step // 2)
    video.retime(
      source, out, Options(speed=factor, exposure=0.0, overwrite=True)
    )
    made = footage.read(out)
    other = folder / "ffmpeg.mp4"
    # FFmpeg's `setpts=PTS/4,fps=F` drops frames.
    footage.write(other, footage.read(source)[::factor], clip.fps, _OUT_CRF)
    figure = f"PSNR of the blur at speed {factor}"
    # At the end, no later frame shows where the motion goes.
    count = (len(given) - 1) // factor
    for method, found in ((OURS, made), (FFMPEG, footage.read(other))):
      rows.append(_psnr(figure, method, clip, found[:count], truths[:count]))
  return rows


def _psnr(
  figure: str,
  method: str,
  clip: footage.Footage,
  made: Sequence[np.ndarray],
  truths: Sequence[np.ndarray],
) -> Row:
  value = np.mean(
    [frames.psnr(*pair) for pair in zip(made, truths, strict=True)]
  )
  return Row(figure, method, clip.group, clip.name, float(value))


def _constant(speed: float) -> retiming.Recipe:
  graph = f"setpts=PTS/{speed:g}"
  graph += ",minterpolate=fps={fps}:mi_mode=mci" if speed < 1 else ",fps={fps}"
  return retiming.Recipe(graph, Fraction(1), speed, None)


def ramped(length_s: float) -> retiming.Recipe:
  """The same curve as an expression: the integral of 1 / speed."""
  first, last = _RAMP
  slope = math.log(last / first) / length_s
  graph = (
    f"setpts=(1-exp(-{slope:.9g}*T))/({first:g}*{slope:.9g})/TB"
    ",minterpolate=fps={fps}:mi_mode=mci"
  )
  return retiming.Recipe(graph, Fraction(1), _ramp_mean(), None)


def _ramp(folder: pathlib.Path, length_s: float) -> pathlib.Path:
  path = folder / "ramp.csv"
  with path.open("w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["time_s", "speed"])
    writer.writerow([0, _RAMP[0]])
    writer.writerow([length_s, _RAMP[1]])
  return path


def _ramp_mean() -> float:
  """The speed in the middle of the output's time, in octaves.

  Speeds straight in octaves over the input's time are shown for 1 / speed.
  """
  first, last = _RAMP
  octaves = np.linspace(math.log2(first), math.log2(last), 1001)
  return float(np.exp2(np.average(octaves, weights=np.exp2(-octaves))))


def of_unseen_sources(rows: Sequence[Row], data: pathlib.Path) -> list[Row]:
  """Those of clips of sources of which training and choice saw no clip."""
  names = {pathlib.Path(file).name for file in real_clips.never_seen(data)}
  return [row for row in rows if row.clip in names]


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
  """Means over clips with intervals by scene group, by figure and method."""
  found: dict[tuple[str, str], list[Row]] = collections.defaultdict(list)
  for row in rows:
    found[row.figure, row.method].append(row)
  summary: dict[str, Any] = collections.defaultdict(dict)
  for (figure, method), members in found.items():
    sure = [row for row in members if row.tells]
    summary[figure][method] = {
      "mean": list(_mean(members).to_json()),
      "clips": len(members),
      "mean_of_sure": list(_mean(sure).to_json()) if sure else None,
      "sure": len(sure),
    }
  return summary


def _mean(rows: Sequence[Row]) -> report.Figure:
  values = np.array([row.value for row in rows])
  groups = np.array([row.group for row in rows])
  return report.interval(lambda index: float(values[index].mean()), groups)


def tables(results: dict[str, Any]) -> str:
  """The results as Markdown; first those on sources never seen."""
  return (
    f"Sources never seen:\n\n{_table(results['unseen'])}\n"
    f"All:\n\n{_table(results['summary'])}"
  )


def _table(summary: dict[str, Any]) -> str:
  rows = []
  for figure, methods in summary.items():
    is_psnr = figure.startswith("PSNR")
    cells = [figure + (", dB" if is_psnr else ", octaves off")]
    for name in (OURS, FFMPEG):
      found = methods[name]
      cells.append(report.Figure(*found["mean"]).cell(".2f"))
      if is_psnr:
        cells.append("")
      else:
        sure = found["mean_of_sure"] or [math.nan]
        cells.append(f"{report.Figure(*sure).cell('.2f')}, {found['sure']}")
    rows.append([*cells, str(methods[OURS]["clips"])])
  header = ["", OURS, "where sure, clips", FFMPEG, "where sure, clips", "clips"]
  return report.markdown(header, rows) + "\n"


def main() -> None:
  """Runs the evaluation."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--split", default="test")
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args()
  data = real_clips.folder()
  started = time.time()
  machine = estimator.load_estimator()

  def speed_of(path: pathlib.Path) -> tuple[float | None, bool]:
    found = witness.estimate(machine, path, ignore_metadata=True)
    return found.speed, found.status == "ok"

  rows: list[Row] = []
  for clip in footage.clips(data, args.split):
    with tempfile.TemporaryDirectory() as name:
      folder = pathlib.Path(name)
      own = [
        *slowed(clip, folder),
        *blurred(clip, folder),
        *speeds(clip, folder, speed_of),
      ]
    for row in own:
      print(row, flush=True)
    rows += own
  results = {
    **run_record.circumstances(),
    "config": {
      "split": args.split,
      "short_side": footage.SHORT_SIDE,
      "frames": footage.FRAMES,
      "crf_in": footage.CRF,
      "crf_out": _OUT_CRF,
      "given_of_blur": _GIVEN,
    },
    # Nothing is left to chance.
    "seed": None,
    "clips_csv_sha256": real_clips.fingerprint(data),
    "seconds": round(time.time() - started),
    "unseen": summarise(of_unseen_sources(rows, data)),
    "summary": summarise(rows),
    "rows": [row._asdict() for row in rows],
  }
  run_record.write_results(args.out, results, tables(results))


if __name__ == "__main__":
  sys.exit(report.run(main))
