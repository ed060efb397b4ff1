"""Where a parameter stands in a published checkpoint.

Parameters of these modules are named nearly as in diffusers; the rules here
turn one name into the other. Blocks are stacked, so that one parameter may be
many tensors of a file.
"""

import dataclasses
import re
from collections.abc import Sequence
from typing import Literal

Turn = Literal["as is", "matrix", "kernel"]
"""How an array is stored: the same; transposed; or with the channels out and
in before the places of a convolution."""


@dataclasses.dataclass(frozen=True)
class Stored:
  """Where a parameter stands.

  Attributes:
    names: of its tensors, one for each layer if it is stacked.
    stacked: whether its first axis is that of the layers.
    turn: how each tensor is stored.
    shape: of each tensor, as it is stored.
  """

  names: tuple[str, ...]
  stacked: bool
  turn: Turn
  shape: tuple[int, ...]


def stored(
  path: str,
  shape: Sequence[int],
  rules: Sequence[tuple[str, str]],
  stack: str = "",
) -> Stored:
  """Finds where a parameter stands.

  Args:
    path: of the parameter, such as "blocks/attn1/to_q/kernel".
    shape: of it.
    rules: regular expressions on names with dots, and what they become, in
      turn.
    stack: first part of the names of stacked parameters, such as "blocks".

  Returns:
    Its place.
  """
  shape = tuple(shape)
  stacked = bool(stack) and path.startswith(f"{stack}/")
  one = shape[1:] if stacked else shape
  parts = path.split("/")
  turn: Turn = "as is"
  if parts[-1] == "kernel":
    parts[-1] = "weight"
    turn = "matrix" if len(one) == 2 else "kernel"
  elif parts[-1] == "scale":
    parts[-1] = "weight"
  name = ".".join(parts)
  if stacked:
    name = name.replace(f"{stack}.", f"{stack}.#.", 1)
  for pattern, replacement in rules:
    name = re.sub(pattern, replacement, name)
  if turn == "matrix":
    one = one[::-1]
  elif turn == "kernel":
    one = (one[-1], one[-2], *one[:-2])
  count = shape[0] if stacked else 1
  names = tuple(name.replace("#", str(layer)) for layer in range(count))
  return Stored(names, stacked, turn, one)


TRANSFORMER = (
  (r"^time_embedder\.", "condition_embedder.time_embedder."),
  (r"^time_proj\.", "condition_embedder.time_proj."),
  (r"^text_embedder\.expand", "condition_embedder.text_embedder.linear_1"),
  (r"^text_embedder\.contract", "condition_embedder.text_embedder.linear_2"),
  (r"^image_embedder\.", "condition_embedder.image_embedder."),
  (r"\.to_out\.", ".to_out.0."),
  (r"\.(ffn|ff)\.expand\.", r".\1.net.0.proj."),
  (r"\.(ffn|ff)\.contract\.", r".\1.net.2."),
)
"""Of the transformer, as diffusers stores it."""

TRANSFORMER_OWN = (
  *TRANSFORMER,
  (r"^condition_embedder\.time_embedder\.linear_1", "time_embedding.0"),
  (r"^condition_embedder\.time_embedder\.linear_2", "time_embedding.2"),
  (r"^condition_embedder\.time_proj", "time_projection.1"),
  (r"^condition_embedder\.text_embedder\.linear_1", "text_embedding.0"),
  (r"^condition_embedder\.text_embedder\.linear_2", "text_embedding.2"),
  (r"^condition_embedder\.image_embedder\.norm1", "img_emb.proj.0"),
  (r"^condition_embedder\.image_embedder\.ff\.net\.0\.proj", "img_emb.proj.1"),
  (r"^condition_embedder\.image_embedder\.ff\.net\.2", "img_emb.proj.3"),
  (r"^condition_embedder\.image_embedder\.norm2", "img_emb.proj.4"),
  (r"^condition_embedder\.image_embedder\.pos_embed", "img_emb.emb_pos"),
  (r"\.attn1\.", ".self_attn."),
  (r"\.attn2\.", ".cross_attn."),
  (r"\.to_([qkv])\.", r".\1."),
  (r"\.to_out\.0\.", ".o."),
  (r"\.add_k_proj\.", ".k_img."),
  (r"\.add_v_proj\.", ".v_img."),
  (r"\.norm_added_k\.", ".norm_k_img."),
  # Its norms are counted in another order.
  (r"\.norm2\.", ".norm3."),
  (r"\.ffn\.net\.0\.proj\.", ".ffn.0."),
  (r"\.ffn\.net\.2\.", ".ffn.2."),
  (r"(blocks\.#)\.scale_shift_table$", r"\1.modulation"),
  (r"^scale_shift_table$", "head.modulation"),
  (r"^proj_out\.", "head.head."),
)
"""Of the transformer, as Wan itself stores it."""

AUTOENCODER = (
  (r"\.conv\.", "."),
  (r"\.resample\.", ".resample.1."),
  (r"(decoder\.up_blocks\.\d+\.)upsampler\.", r"\1upsamplers.0."),
)
"""Of Wan2.1's autoencoder, as diffusers stores it."""

AUTOENCODER_RESIDUAL = AUTOENCODER[:-1]
"""Of Wan2.2's, whose levels have one upsampler each."""

TEXT = (
  (r"\.embedding$", ".weight"),
  (r"^block\.#\.(attention_norm)\.", "block.#.layer.0.layer_norm."),
  (r"^block\.#\.([qkvo])\.", r"block.#.layer.0.SelfAttention.\1."),
  (
    r"^block\.#\.bias\.",
    "block.#.layer.0.SelfAttention.relative_attention_bias.",
  ),
  (r"^block\.#\.mlp_norm\.", "block.#.layer.1.layer_norm."),
  (r"^block\.#\.(w[io]_?[01]?)\.", r"block.#.layer.1.DenseReluDense.\1."),
  (r"^(block|final_layer_norm)\.", r"encoder.\1."),
)
"""Of the text encoder, as the library transformers stores it."""

IMAGE = (
  (r"\.embedding$", ".weight"),
  (
    r"^(class_embedding|patch_embedding|position_embedding)",
    r"vision_model.embeddings.\1",
  ),
  (r"^pre_layrnorm\.", "vision_model.pre_layrnorm."),
  (r"^layers\.#\.([qkv]|out)_proj\.", r"layers.#.self_attn.\1_proj."),
  (r"^layers\.#\.(fc[12])\.", r"layers.#.mlp.\1."),
  (r"^layers\.", "vision_model.encoder.layers."),
)
"""Of the image encoder, as the library transformers stores it."""
