r"""The other side of `parity`: diffusers and transformers, in PyTorch.

  make parity

makes an environment with them, runs this, and writes `results/parity.json`:
how far ours are from these, and some of their numbers for the tests.
"""

import argparse
import pathlib
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

import diffusers
import numpy as np
import torch
import transformers

from experiments.wan import parity
from speedflow.evaluation import report
from speedflow.training import run_record


def theirs(
  case: parity.Case,
) -> tuple[np.ndarray, dict[str, tuple[int, ...]]]:
  """What the reference gives, in our order of axes, and its tensors' shapes."""
  fields = dict(case.fields)
  method, count = fields.pop("method", None), fields.pop("steps", 0)
  network = _made(case.part, fields).eval()
  shapes = {}
  state = network.state_dict()
  prefix = "vision_model."
  lacks = case.part == "image" and not any(n.startswith(prefix) for n in state)
  if case.part == "text":
    # One tensor of two names.
    del state["encoder.embed_tokens.weight"]
  for name, value in state.items():
    published = prefix + name if lacks else name
    shapes[published] = tuple(value.shape)
    value.copy_(torch.from_numpy(parity.parameter(published, value.shape)))
  values = {
    name: torch.from_numpy(value) for name, value in parity.given(case).items()
  }
  with torch.no_grad():
    found = _computed(case.part, network, fields, values, method, count)
  return found.numpy(), shapes


def _made(part: str, fields: dict[str, Any]) -> torch.nn.Module:
  if part in ("transformer", "sample"):
    return diffusers.WanTransformer3DModel(**fields)
  if part in ("encode", "decode"):
    return diffusers.AutoencoderKLWan(**fields)
  if part == "text":
    config = transformers.UMT5Config(**fields)
    return transformers.UMT5EncoderModel(config)
  config = transformers.CLIPVisionConfig(**fields)
  return transformers.CLIPVisionModel(config)


def _computed(
  part: str,
  network: Any,
  fields: dict[str, Any],
  values: dict[str, torch.Tensor],
  method: str | None,
  count: int,
) -> torch.Tensor:
  if part == "text":
    tokens = values["tokens"].long()
    present = torch.arange(tokens.shape[1]) < values["lengths"][:, None]
    found = network(tokens, present.float()).last_hidden_state
    return found * present[..., None]
  if part == "image":
    pictures = values["pictures"].permute(0, 3, 1, 2)
    return network(pictures, output_hidden_states=True).hidden_states[-2]
  if part == "transformer":
    time = values["time"]
    if time.ndim == 2:
      _, _, rows, columns, _ = values["latents"].shape
      time = time.repeat_interleave(rows * columns // 4, 1)
    return _last(
      network(
        _first(values["latents"]),
        time,
        values["text"],
        values.get("image"),
        return_dict=False,
      )[0]
    )
  if part == "sample":
    return _followed(network, values, method, count)
  mean = torch.tensor(fields["latents_mean"])
  std = torch.tensor(fields["latents_std"])
  if part == "encode":
    found = network.encode(_first(values["video"])).latent_dist.mode()
    return (_last(found) - mean) / std
  return _last(network.decode(_first(values["latents"] * std + mean)).sample)


def _followed(network, values, method, count) -> torch.Tensor:
  if method == "unipc":
    schedule = diffusers.UniPCMultistepScheduler(
      prediction_type="flow_prediction",
      use_flow_sigmas=True,
      num_train_timesteps=1000,
      flow_shift=parity.SHIFT,
    )
  else:
    schedule = diffusers.FlowMatchEulerDiscreteScheduler(shift=parity.SHIFT)
  schedule.set_timesteps(count)
  x, found = _first(values["latents"]), []
  for time in schedule.timesteps:
    flow = network(x, time.expand(1), values["text"], return_dict=False)[0]
    x = schedule.step(flow, time, x, return_dict=False)[0]
    found.append(_last(x))
  return torch.stack(found)


def _first(x: torch.Tensor) -> torch.Tensor:
  """Puts channels first."""
  return x.movedim(-1, 1).contiguous()


def _last(x: torch.Tensor) -> torch.Tensor:
  return x.movedim(1, -1)


def main(argv: Sequence[str] | None = None) -> int:
  """Compares all, and writes the record."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--out", type=pathlib.Path, default=parity.RECORDED)
  args = parser.parse_args(argv)
  torch.set_num_threads(1)
  cases: dict[str, dict[str, Any]] = {}
  tensors: dict[str, dict[str, str]] = {}
  for name, case in parity.CASES.items():
    found, shapes = theirs(case)
    with tempfile.TemporaryDirectory() as folder:
      made = parity.ours(case, shapes, pathlib.Path(folder))
    scale = float(np.abs(found).max())
    difference = float(np.abs(made - found).max()) / scale
    print(f"{name}: {difference:.1e} of {scale:.3g}", flush=True)
    cases[name] = {
      "shapes": {
        key: "x".join(map(str, shape)) for key, shape in case.shapes.items()
      },
      "difference": difference,
      "scale": scale,
      "values": [float(f"{value:.6g}") for value in parity.kept(found)],
      "network": parity.network_of(case),
    }
    tensors[parity.network_of(case)] = {
      key: "x".join(map(str, shape)) for key, shape in shapes.items()
    }
  versions = {
    library.__name__: library.__version__
    for library in (torch, diffusers, transformers)
  }
  table = report.markdown(
    ("part", "given", "largest difference, of the largest value"),
    (
      (
        name,
        ", ".join(f"{key} {shape}" for key, shape in case["shapes"].items()),
        f"{case['difference']:.1e}",
      )
      for name, case in cases.items()
    ),
  )
  run_record.write_results(
    args.out,
    {
      "cases": cases,
      "tensors": tensors,
      "reference": versions,
      **run_record.circumstances(),
    },
    f"{table}\n",
  )
  worst = max(case["difference"] for case in cases.values())
  return 0 if worst <= parity.TOLERANCE else 1


if __name__ == "__main__":
  sys.exit(report.run(main))
