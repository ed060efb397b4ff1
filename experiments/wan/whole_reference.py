"""The other side of `whole`: diffusers' pipeline, in PyTorch; `make parity`.

It writes `results/whole.json`: how far our clips are from its, in grey levels,
and some of its numbers for the tests.
"""

import argparse
import json
import pathlib
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

import diffusers
import numpy as np
import safetensors.torch
import torch
from PIL import Image

from experiments.wan import whole
from speedflow.evaluation import report
from speedflow.models.wan import config
from speedflow.training import run_record
from speedflow.wan import encoders, pipeline


def theirs(name: str, folder: pathlib.Path) -> np.ndarray:
  """Its clip of a pipeline.

  Args:
    name: of the case.
    folder: that `whole.write` has written.

  Returns:
    uint8 [t, h, w, 3].
  """
  # That texts and pictures are encoded alike is for `reference`.
  ours = encoders.Encoders(folder, config.Computation())
  texts = np.array(ours.texts((whole.WISH.text, whole.WISH.against)))
  words = torch.from_numpy(texts)
  said: dict[str, Any] = dict(whole.CASES[name])
  if (folder / pipeline.SECOND).exists():
    said["transformer_2"] = _loaded(folder / pipeline.SECOND)
  pipe = diffusers.WanImageToVideoPipeline(
    tokenizer=None,
    text_encoder=None,
    image_encoder=None,
    image_processor=None,
    vae=_loaded(folder / "vae", diffusers.AutoencoderKLWan),
    transformer=_loaded(folder / "transformer"),
    scheduler=diffusers.UniPCMultistepScheduler(
      prediction_type="flow_prediction",
      use_flow_sigmas=True,
      num_train_timesteps=1000,
      flow_shift=whole.TRAINED.shift,
    ),
    **said,
  )
  pipe.set_progress_bar_config(disable=True)
  picture = whole.picture()
  if (folder / "image_encoder").exists():
    seen = torch.from_numpy(np.array(ours.image(picture)))[None]
    # A picture and its features cannot both be given.
    pipe.encode_image = lambda *_: seen
  with torch.no_grad():
    frames = pipe(
      image=Image.fromarray(picture),
      height=whole.TRAINED.height,
      width=whole.TRAINED.width,
      num_frames=whole.WISH.frames,
      num_inference_steps=whole.WISH.steps,
      guidance_scale=whole.WISH.text_guidance,
      latents=torch.from_numpy(np.moveaxis(whole.noise(), -1, 1).copy()),
      prompt_embeds=words[:1],
      negative_prompt_embeds=words[1:],
      output_type="np",
    ).frames[0]
  return np.round(np.clip(frames, 0, 1) * 255).astype(np.uint8)


def _loaded(folder: pathlib.Path, kind=diffusers.WanTransformer3DModel):
  network = kind(**json.loads((folder / "config.json").read_text()))
  state: dict[str, torch.Tensor] = {}
  for path in folder.glob("*.safetensors"):
    state |= safetensors.torch.load_file(path)
  network.load_state_dict(state)
  return network.eval()


def main(argv: Sequence[str] | None = None) -> int:
  """Compares all, and writes the record."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--out", type=pathlib.Path, default=whole.RECORDED)
  args = parser.parse_args(argv)
  torch.set_num_threads(1)
  cases: dict[str, dict[str, Any]] = {}
  for name in whole.CASES:
    with tempfile.TemporaryDirectory() as made:
      folder = pathlib.Path(made)
      whole.write(name, folder)
      found, expected = whole.ours(folder), theirs(name, folder)
    off = np.abs(found.astype(int) - expected)
    cases[name] = {
      "largest": int(off.max()),
      "differing": float(f"{np.mean(off > 0):.3g}"),
      "deviation": float(f"{expected.std():.4g}"),
      "values": whole.kept(expected),
    }
    print(f"{name}: {off.max()} grey levels", flush=True)
  table = report.markdown(
    ("pipeline", "largest difference, grey levels", "pixels that differ"),
    (
      (name, str(case["largest"]), f"{case['differing']:.1%}")
      for name, case in cases.items()
    ),
  )
  run_record.write_results(
    args.out,
    {
      "cases": cases,
      "reference": {
        library.__name__: library.__version__ for library in (torch, diffusers)
      },
      **run_record.circumstances(),
    },
    f"{table}\n",
  )
  worst = max(case["largest"] for case in cases.values())
  return 0 if worst <= whole.TOLERANCE else 1


if __name__ == "__main__":
  sys.exit(report.run(main))
