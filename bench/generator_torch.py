"""A video-diffusion U-Net in PyTorch, timed: the other side of bench.generator.

Runs in an environment of its own, with nothing of speedflow in it:

    pip install torch video-diffusion-pytorch
    python bench/generator_torch.py --parameters=3160000

`Unet3D` and `GaussianDiffusion` are those of the public package, as in its own
example: 8 frames of 32 x 32 pixels. Prints one line of JSON.
"""

import argparse
import itertools
import json
import os
import time

import torch
import video_diffusion_pytorch as video_diffusion

_FRAMES, _SIZE = 8, 32
_MULTIPLES = (1, 2, 4)


def build(parameters: int) -> tuple[video_diffusion.Unet3D, int]:
  """The network whose number of parameters is nearest, and that number."""
  best, nearest = None, 0
  for width in itertools.count(8, 8):  # Groups of 8 are normalised.
    network = video_diffusion.Unet3D(dim=width, dim_mults=_MULTIPLES)
    count = sum(p.numel() for p in network.parameters())
    if best is None or abs(count - parameters) < abs(nearest - parameters):
      best, nearest = network, count
    if count > parameters:
      return best, nearest
  raise AssertionError("widths do not end")


def main() -> None:
  """Measures training and denoising on one core, CPU seconds."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--parameters", type=int, required=True)
  parser.add_argument("--repeats", type=int, default=4)
  args = parser.parse_args()
  os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
  torch.set_num_threads(1)
  torch.manual_seed(0)
  network, count = build(args.parameters)
  diffusion = video_diffusion.GaussianDiffusion(
    network, image_size=_SIZE, num_frames=_FRAMES, timesteps=1000
  )
  optimizer = torch.optim.AdamW(network.parameters(), 1e-4)
  clip = torch.rand(1, 3, _FRAMES, _SIZE, _SIZE)

  def train() -> None:
    optimizer.zero_grad()
    diffusion(clip).backward()
    optimizer.step()

  def denoise() -> None:
    with torch.no_grad():
      network(clip, torch.zeros(1, dtype=torch.long))

  result = {
    "parameters": count,
    "clip": f"{_FRAMES} x {_SIZE} x {_SIZE}",
    "torch": torch.__version__,
  }
  for name, run in (("train_s", train), ("denoise_s", denoise)):
    spent = []
    for _ in range(args.repeats + 1):
      started = time.process_time()
      run()
      spent.append(time.process_time() - started)
    # The first time allocates. The least: others share the machine.
    result[name] = round(min(spent[1:]), 4)
  print(json.dumps(result))


if __name__ == "__main__":
  main()
