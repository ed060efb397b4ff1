r"""A pipeline of Wan with random parameters, of any size.

  python -m experiments.wan.stand_in FOLDER

It makes noise, but all of its files are where those of the real one are: for
tests, and for trials of memory and time without the weights.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.wan import parity
from speedflow.evaluation import report
from speedflow.models.wan import config, pixels
from speedflow.wan import index, pipeline, words
from speedflow.weights import tensor_folder
from speedflow.weights import wan as weights

TINY: Mapping[str, dict[str, Any]] = {
  "transformer": {
    "num_attention_heads": 2,
    "attention_head_dim": 12,
    "in_channels": 12,
    "out_channels": 4,
    "text_dim": 16,
    "freq_dim": 16,
    "ffn_dim": 32,
    "num_layers": 2,
    "image_dim": 16,
    "added_kv_proj_dim": 24,
  },
  "vae": {
    "base_dim": 4,
    "z_dim": 4,
    "dim_mult": [1, 2, 2, 2],
    "num_res_blocks": 1,
    "temperal_downsample": [False, True, True],
    "latents_mean": [0.0] * 4,
    "latents_std": [1.0] * 4,
  },
  "text_encoder": {
    "vocab_size": 16,
    "d_model": 16,
    "d_kv": 8,
    "d_ff": 16,
    "num_layers": 1,
    "num_heads": 2,
  },
  "image_encoder": {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 8,
    "hidden_act": "gelu",
  },
}
"""Fields of the networks' `config.json`, of a pipeline of the least size."""

PIXELS: Mapping[str, dict[str, Any]] = {
  "transformer": {
    "num_attention_heads": 4,
    "attention_head_dim": 32,
    "in_channels": 28,
    "out_channels": 12,
    "text_dim": 16,
    "freq_dim": 64,
    "ffn_dim": 512,
    "num_layers": 4,
  },
  "vae": {"_class_name": pixels.KIND, "scale_factor_spatial": 1},
  "text_encoder": TINY["text_encoder"],
}
"""Of one that works on pixels, as `configs/wan.py:tiny` trains it."""

_WORDS = ("<pad>", "</s>", "<unk>", "a", "ball", "falls")
_STEM = {
  "transformer": "diffusion_pytorch_model",
  "vae": "diffusion_pytorch_model",
  "text_encoder": "model",
  "image_encoder": "model",
}


_TRAINED = index.Trained(height=32, width=48, frames=9)


def write(
  folder: pathlib.Path,
  sizes: Mapping[str, dict[str, Any]] = TINY,
  trained: index.Trained = _TRAINED,
  *,
  speed: bool = False,
  boundary: float | None = None,
) -> None:
  """Writes a pipeline.

  Args:
    folder: made if missing.
    sizes: fields of each network's `config.json`.
    trained: what it says that it was trained for.
    speed: whether it is to obey speeds, in whatever way.
    boundary: share of noise below which a second transformer goes on; None:
      there is none.
  """
  # Before anything is written: its library may not be there.
  cut = _tokenizer()
  for part, fields in sizes.items():
    _write_part(folder / part, part, fields)
  if boundary is not None:
    _write_part(
      folder / pipeline.SECOND, "transformer", sizes["transformer"], "second "
    )
  if speed:
    _teach(folder / "transformer")
  tokenizer = folder / "tokenizer"
  tokenizer.mkdir(exist_ok=True)
  (tokenizer / "tokenizer.json").write_text(cut)
  index.write(folder, trained, boundary)


def _write_part(
  folder: pathlib.Path, part: str, fields: dict[str, Any], prefix: str = ""
) -> None:
  """Writes a network; its parameters follow from a prefix and their names."""
  folder.mkdir(parents=True, exist_ok=True)
  (folder / "config.json").write_text(json.dumps(fields))
  if fields.get("_class_name") == pixels.KIND:
    return
  shapes = weights.published(part, fields)
  tensor_folder.write(
    folder,
    _STEM[part],
    ((n, parity.parameter(f"{prefix}{n}", shapes[n])) for n in shapes),
    {name: 4 * int(np.prod(shape)) for name, shape in shapes.items()},
  )


def _teach(folder: pathlib.Path) -> None:
  """Gives a transformer what speeds are told by, with random parameters."""
  model = weights.load_transformer(folder, config.Computation(speed="fourier"))
  assert model.speed is not None
  kernel = model.speed.of_clip.kernel
  kernel[...] = parity.parameter("speed", kernel.shape)
  weights.save_transformer(folder, model, like=folder)


def _tokenizer() -> str:
  """Words between blanks, and an end."""
  tokenizers = words.import_tokenizers()
  models, cutters = tokenizers.models, tokenizers.pre_tokenizers
  processors = tokenizers.processors
  numbers = {word: number for number, word in enumerate(_WORDS)}
  made = tokenizers.Tokenizer(models.WordLevel(numbers, unk_token="<unk>"))
  made.pre_tokenizer = cutters.Whitespace()
  made.post_processor = processors.TemplateProcessing(
    single="$A </s>", special_tokens=[("</s>", numbers["</s>"])]
  )
  return made.to_str()


def main(argv: Sequence[str] | None = None) -> int:
  """Writes a pipeline of the least size."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("folder", type=pathlib.Path)
  parser.add_argument(
    "--pixels", action="store_true", help="in place of an autoencoder"
  )
  parser.add_argument(
    "--speed", action="store_true", help="as if it had been taught speeds"
  )
  args = parser.parse_args(argv)
  sizes = PIXELS if args.pixels else TINY
  write(args.folder, sizes, speed=args.speed)
  return 0


if __name__ == "__main__":
  sys.exit(report.run(main))
