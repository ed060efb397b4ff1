"""Sizes of Wan's networks, as the `config.json` beside their weights says.

Both layouts in which Wan is published are read: that of the library diffusers,
and Wan's own. What a file says that these networks cannot do is refused.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, Self

import jax.numpy as jnp
from jax.typing import DTypeLike

from speedflow.errors import SpeedflowError
from speedflow.models.attention import Implementation

Speed = Literal["none", "fourier", "buckets"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Computation:
  """How a network is computed, of which no file of weights says anything.

  Attributes:
    dtype: of matrix products; norms, modulation and times are float32.
    param_dtype: in which parameters are kept.
    attention: see `speedflow.models.attention.attention`.
    remat: recompute blocks in the backward pass: "none", "dots" (all but
      matrix products), or "full".
    lora_rank: of the low-rank matrices beside `lora_targets`; 0: none.
    lora_targets: names of projections that get them, such as "to_q".
    trained: "all" of the parameters, or only what is "added" to Wan: the
      low-rank matrices and the speed; see `layers.Frozen`.
    speed: how the transformer is told the speed; see `conditioning`.
    speed_buckets: number of log-spaced speeds, where they are buckets.
    speed_low: log2 speed of the slowest bucket.
    speed_high: log2 speed of the fastest.
    speed_clock: whether latent frames are told the world's time since the
      first frame, too.
  """

  dtype: DTypeLike = jnp.float32
  param_dtype: DTypeLike = jnp.float32
  attention: Implementation = ""
  remat: Literal["none", "dots", "full"] = "none"
  lora_rank: int = 0
  lora_targets: tuple[str, ...] = ("to_q", "to_k", "to_v", "to_out")
  trained: Literal["all", "added"] = "all"
  speed: Speed = "none"
  speed_buckets: int = 8
  speed_low: float = -4.0
  speed_high: float = 3.0
  speed_clock: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransformerConfig:
  """Sizes of the transformer.

  Attributes:
    patch_size: latents in a token: frames, rows, columns.
    num_attention_heads: of every attention.
    attention_head_dim: features of a head; an even number.
    in_channels: of the latents, with those of the condition.
    out_channels: of the latents.
    text_dim: features of the text's tokens.
    freq_dim: sines and cosines of the time.
    ffn_dim: hidden features of a block's MLP.
    num_layers: blocks.
    cross_attn_norm: whether tokens are normalised before they attend to text.
    eps: of the norms.
    image_dim: features of the image's tokens; None: it is not told an image.
    added_kv_proj_dim: features of these in the blocks; None as above.
    rope_max_seq_len: most positions along an axis.
    pos_embed_seq_len: image tokens of a pair of images whose places are told.
  """

  patch_size: tuple[int, int, int] = (1, 2, 2)
  num_attention_heads: int = 40
  attention_head_dim: int = 128
  in_channels: int = 16
  out_channels: int = 16
  text_dim: int = 4096
  freq_dim: int = 256
  ffn_dim: int = 13824
  num_layers: int = 40
  cross_attn_norm: bool = True
  eps: float = 1e-6
  image_dim: int | None = None
  added_kv_proj_dim: int | None = None
  rope_max_seq_len: int = 1024
  pos_embed_seq_len: int | None = None

  @property
  def width(self) -> int:
    """Features of a token."""
    return self.num_attention_heads * self.attention_head_dim

  @classmethod
  def read(cls, fields: Mapping[str, Any], file: str) -> Self:
    """Reads what a `config.json` says.

    Args:
      fields: its contents.
      file: its name, for errors.

    Raises:
      SpeedflowError: it is of another network.
    """
    if "dim" in fields:
      fields = _own_layout(fields, file)
    norm = fields.get("qk_norm", "rms_norm_across_heads")
    if norm != "rms_norm_across_heads":
      raise SpeedflowError(
        f"{file}: qk_norm is {norm!r}; wanted rms_norm_across_heads, as in Wan"
      )
    return cls(**_known(cls, fields, file, ignored=("qk_norm", "window_size")))


@dataclasses.dataclass(frozen=True, kw_only=True)
class AutoencoderConfig:
  """Sizes of the video autoencoder.

  Attributes:
    base_dim: channels of the encoder's finest level.
    decoder_base_dim: of the decoder's; None: the same.
    z_dim: channels of a latent.
    dim_mult: channels of each level, in those of the finest.
    num_res_blocks: residual blocks of a level.
    temperal_downsample: whether each step to a coarser level halves time, too
      (the spelling is the file's).
    latents_mean: of each channel of the latents.
    latents_std: their standard deviations.
    is_residual: whether levels have shortcuts of their own (Wan2.2).
    in_channels: of a picture, with those that its patches hold.
    out_channels: the same, coming out.
    patch_size: pixels along a side that channels hold; None: 1.
    scale_factor_temporal: frames that a latent frame holds.
    scale_factor_spatial: pixels along a side that a latent holds.
  """

  base_dim: int = 96
  decoder_base_dim: int | None = None
  z_dim: int = 16
  dim_mult: tuple[int, ...] = (1, 2, 4, 4)
  num_res_blocks: int = 2
  temperal_downsample: tuple[bool, ...] = (False, True, True)
  latents_mean: tuple[float, ...] = ()
  latents_std: tuple[float, ...] = ()
  is_residual: bool = False
  in_channels: int = 3
  out_channels: int = 3
  patch_size: int | None = None
  scale_factor_temporal: int = 4
  scale_factor_spatial: int = 8

  @classmethod
  def read(cls, fields: Mapping[str, Any], file: str) -> Self:
    """As `TransformerConfig.read`."""
    if fields.get("attn_scales"):
      raise SpeedflowError(
        f"{file}: attn_scales are {fields['attn_scales']}; wanted none, as in"
        " Wan"
      )
    ignored = ("attn_scales", "dropout", "clip_output")
    return cls(**_known(cls, fields, file, ignored=ignored))


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextConfig:
  """Sizes of the text encoder, UMT5 (arXiv 2304.09151).

  Files leave out what is usual in the library transformers: the defaults here
  are its own, not Wan's.

  Attributes:
    vocab_size: known tokens.
    d_model: features of a token.
    d_kv: features of a head.
    d_ff: hidden features of a block's MLP.
    num_layers: blocks.
    num_heads: of attention.
    relative_attention_num_buckets: of distances between tokens.
    relative_attention_max_distance: beyond which they are alike.
    layer_norm_epsilon: of the norms.
  """

  vocab_size: int = 250112
  d_model: int = 512
  d_kv: int = 64
  d_ff: int = 1024
  num_layers: int = 8
  num_heads: int = 6
  relative_attention_num_buckets: int = 32
  relative_attention_max_distance: int = 128
  layer_norm_epsilon: float = 1e-6

  @classmethod
  def read(cls, fields: Mapping[str, Any], file: str) -> Self:
    """As `TransformerConfig.read`."""
    kind = fields.get("feed_forward_proj", "gated-gelu")
    if kind != "gated-gelu":
      raise SpeedflowError(
        f"{file}: feed_forward_proj is {kind!r}; wanted gated-gelu, as in UMT5"
      )
    names = [field.name for field in dataclasses.fields(cls)]
    return cls(**{name: fields[name] for name in names if name in fields})


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageConfig:
  """Sizes of the image encoder, CLIP's vision transformer (arXiv 2103.00020).

  Defaults are those of the library transformers, as in `TextConfig`.

  Attributes:
    hidden_size: features of a token.
    intermediate_size: hidden features of a block's MLP.
    num_hidden_layers: blocks.
    num_attention_heads: of attention.
    image_size: pixels along a side.
    patch_size: pixels along a side of a token.
    layer_norm_eps: of the norms.
    hidden_act: of the MLPs.
  """

  hidden_size: int = 768
  intermediate_size: int = 3072
  num_hidden_layers: int = 12
  num_attention_heads: int = 12
  image_size: int = 224
  patch_size: int = 32
  layer_norm_eps: float = 1e-5
  hidden_act: Literal["gelu", "quick_gelu"] = "quick_gelu"

  @classmethod
  def read(cls, fields: Mapping[str, Any], file: str) -> Self:
    """As `TransformerConfig.read`."""
    kind = fields.get("hidden_act", "quick_gelu")
    if kind not in ("gelu", "quick_gelu"):
      raise SpeedflowError(
        f"{file}: hidden_act is {kind!r}; wanted gelu or quick_gelu, as in CLIP"
      )
    names = [field.name for field in dataclasses.fields(cls)]
    return cls(**{name: fields[name] for name in names if name in fields})


def _own_layout(fields: Mapping[str, Any], file: str) -> dict[str, Any]:
  """What Wan's own `config.json` says, in the words of diffusers."""
  image = fields.get("model_type") == "i2v"
  wanted = ("dim", "num_heads", "in_dim", "out_dim", "freq_dim", "ffn_dim")
  for name in (*wanted, "num_layers"):
    if not isinstance(fields.get(name), int) or fields[name] < 1:
      raise SpeedflowError(
        f"{file}: {name} is {fields.get(name)!r}; wanted the config.json of a"
        " Wan transformer, with a whole number above 0 there"
      )
  width, heads = fields["dim"], fields["num_heads"]
  return {
    "num_attention_heads": heads,
    "attention_head_dim": width // heads,
    "in_channels": fields["in_dim"],
    "out_channels": fields["out_dim"],
    "freq_dim": fields["freq_dim"],
    "ffn_dim": fields["ffn_dim"],
    "num_layers": fields["num_layers"],
    "eps": fields.get("eps", 1e-6),
    "image_dim": 1280 if image else None,
    "added_kv_proj_dim": width if image else None,
  }


def _known(
  cls: Any, fields: Mapping[str, Any], file: str, ignored: tuple[str, ...]
) -> dict[str, Any]:
  """Those fields that a configuration has; lists become tuples."""
  names = {field.name for field in dataclasses.fields(cls)}
  known = {}
  for name, value in fields.items():
    if name in names:
      known[name] = tuple(value) if isinstance(value, list) else value
    elif not name.startswith("_") and name not in ignored:
      raise SpeedflowError(
        f"{file}: unknown field {name!r}; wanted the config.json of a Wan"
        f" network ({cls.__name__.removesuffix('Config').lower()})"
      )
  return known
