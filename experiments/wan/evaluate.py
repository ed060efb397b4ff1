r"""Does a small Wan obey the speed, and fill in frames?

  python -m experiments.wan.evaluate runs/wan_tiny/made \
    --out=experiments/wan/results/tiny.json

On calculated scenes that nothing was trained on (`scenes`). Requested against
measured speed, beside the shipped generator on the scenes that it knows; clips
against what the scene does at that speed, which its first frame tells, beside
that frame repeated; and frames between every eighth, against blending the two
known ones.
"""

import argparse
import itertools
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.speed_generator import measure, movers
from experiments.wan import drums
from experiments.wan import scenes as scenes_lib
from speedflow.data import speed_clips
from speedflow.evaluation import report
from speedflow.generate import weights as generator_weights
from speedflow.models.wan import layout
from speedflow.training import run_record
from speedflow.wan import pipeline

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)

_FPS = 30


def main(argv: Sequence[str] | None = None) -> int:
  """Measures, and writes JSON."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("folder", type=pathlib.Path, help="an exported pipeline")
  parser.add_argument("--kind", choices=list(scenes_lib.TEXTS), default="drum")
  parser.add_argument("--scenes", type=int, default=16)
  parser.add_argument("--steps", type=int, default=20, help="of the sampler")
  parser.add_argument("--out", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  wan = pipeline.WanGenerator(args.folder)
  shipped = generator_weights.load_generator("tiny")
  found, like_truth = obedience(wan, args.kind, args.scenes, args.steps)
  rows: dict[str, Any] = {
    "Wan, tiny": _summary(found),
    "shipped generator": _summary(
      measure.movers_obey(
        shipped, scenes=args.scenes, speeds=SPEEDS, steps=args.steps
      )
    ),
  }
  results = {
    **run_record.circumstances(),
    "kind": args.kind,
    "scenes": args.scenes,
    "steps": args.steps,
    "obedience": rows,
    "like_truth": like_truth,
    "between": between(wan, args.kind, args.scenes, args.steps),
  }
  if (args.folder / "run.json").exists():
    results["run"] = run_record.in_short(args.folder / "run.json")
  run_record.write_results(args.out, results, table(results))
  return 0


def obedience(
  wan: pipeline.WanGenerator, kind: str, scenes: int, steps: int
) -> tuple[measure.Obedience, dict[str, dict[str, float]]]:
  """Requested against measured speed of generated clips.

  Args:
    wan: trained on scenes of the kind.
    kind: one of `scenes.TEXTS`.
    scenes: how many, none of them trained on.
    steps: of the sampler.

  Returns:
    How they compare; and by speed, mean peak signal-to-noise ratios to the true
    clip of what was made and of the first frame repeated, dB, without it.
  """
  frames = wan.trained.frames
  requested, measured = [], []
  scores: dict[float, dict[str, list[float]]] = {
    speed: {"Wan, tiny": [], "first frame": []} for speed in SPEEDS
  }
  for number in range(scenes):
    scene = scenes_lib.sample(kind, number, wan.trained.height)
    clips = wan.generate(
      scene.frame(0.0),
      pipeline.Wish(
        text=scenes_lib.TEXTS[kind],
        log2_speeds=[np.full(frames, np.log2(speed)) for speed in SPEEDS],
        frames=frames,
        seed=number,
        steps=steps,
        text_guidance=1.0,
      ),
    )
    for speed, clip in zip(SPEEDS, clips, strict=True):
      steps_taken = np.full(frames, np.log2(speed))
      truth = movers.film(scene, steps_taken, exposure=0.5)[1:]
      still = np.broadcast_to(scene.frame(0.0), truth.shape)
      for name, shown in (("Wan, tiny", clip[1:]), ("first frame", still)):
        scores[speed][name].append(_psnr(shown, truth))
      requested.append(np.log2(speed))
      measured.append(
        drums.measured_log2_speed(clip, _FPS)
        if kind == "drum"
        else movers.measured_log2_speed(scene, clip, _FPS)
      )
  like_truth = {
    f"{speed:g}": {name: float(np.mean(each)) for name, each in scored.items()}
    for speed, scored in scores.items()
  }
  return (
    measure.compare(np.array(requested), np.array(measured)),
    like_truth,
  )


def between(
  wan: pipeline.WanGenerator, kind: str, scenes: int, steps: int
) -> dict[str, float]:
  """Frames between every eighth, at real time.

  Args:
    wan: trained on scenes of the kind.
    kind: one of `scenes.TEXTS`.
    scenes: how many, none of them trained on.
    steps: of the sampler.

  Returns:
    Mean peak signal-to-noise ratios of the frames that are not known, dB.
  """
  frames = wan.trained.frames
  known = layout.places(frames, speed_clips.EVERY)
  scores: dict[str, list[float]] = {"Wan, tiny": [], "blending": []}
  for number in range(scenes):
    scene = scenes_lib.sample(kind, number, wan.trained.height)
    truth = movers.film(scene, np.zeros(frames), exposure=0.5)
    wish = pipeline.Wish(
      text=scenes_lib.TEXTS[kind],
      log2_speeds=[np.zeros(frames)],
      frames=frames,
      seed=number,
      steps=steps,
      text_guidance=1.0,
    )
    made = {
      "Wan, tiny": wan.fill(truth, known, wish)[0],
      "blending": _blended(truth, known),
    }
    for name, clip in made.items():
      scores[name].append(_psnr(clip[~known], truth[~known]))
  return {name: float(np.mean(each)) for name, each in scores.items()}


def _blended(video: np.ndarray, known: np.ndarray) -> np.ndarray:
  places = np.flatnonzero(known)
  made = video.astype(np.float64)
  for before, after in itertools.pairwise(places):
    for frame in range(before + 1, after):
      share = (frame - before) / (after - before)
      made[frame] = (1 - share) * made[before] + share * made[after]
  return made


def _psnr(found: np.ndarray, truth: np.ndarray) -> float:
  error = np.square(found.astype(np.float64) - truth).mean()
  return float(10 * np.log10(255**2 / max(error, 1e-3)))


def _summary(found: measure.Obedience) -> dict[str, Any]:
  return {
    name: value
    for name, value in found._asdict().items()
    if not isinstance(value, np.ndarray)
  }


def table(results: dict[str, Any]) -> str:
  """The figures as Markdown."""
  rows = [
    [
      name,
      f"{each['spearman']:.2f}",
      f"{each['factor_error']:.2f}",
      f"{each['slope']:.2f}",
      f"{each['visible']:.2f}",
    ]
    for name, each in results["obedience"].items()
  ]
  return "\n\n".join(
    [
      report.markdown(
        ["", "Spearman", "typical factor", "slope", "measurable"], rows
      ),
      report.markdown(
        ["like the true clip at", *next(iter(results["like_truth"].values()))],
        [
          [speed, *(f"{value:.2f} dB" for value in each.values())]
          for speed, each in results["like_truth"].items()
        ],
      ),
      report.markdown(
        ["between every eighth frame", "PSNR, dB"],
        [[name, f"{value:.2f}"] for name, value in results["between"].items()],
      ),
      "",
    ]
  )


if __name__ == "__main__":
  sys.exit(report.run(main))
