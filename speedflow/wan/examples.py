"""From records of latents to what Wan is trained on."""

import dataclasses
import json
import pathlib

import numpy as np

from speedflow import wording
from speedflow.errors import SpeedflowError
from speedflow.models.wan import layout
from speedflow.wan import index, latents, pipeline
from speedflow.weights import wan as weights


@dataclasses.dataclass(frozen=True)
class Sizes:
  """Of one example.

  Attributes:
    latents: t', h', w', z.
    words: tokens and features of a text.
    image: of a picture; (0, 0) where the transformer is not told one.
  """

  latents: tuple[int, int, int, int]
  words: tuple[int, int]
  image: tuple[int, int]


def sizes_of(folder: pathlib.Path, image_tokens: int) -> Sizes:
  """Of the clips that a pipeline was trained on.

  Args:
    folder: of the pipeline.
    image_tokens: of a first picture, where the transformer is told it.

  Raises:
    SpeedflowError: it has not learnt speed, or is not shown known frames.
  """
  said = index.read(folder)
  for part in ("transformer", "vae"):
    pipeline.require_part(folder, part)
  weights.require_fit(folder)
  if not weights.speed_of(folder / "transformer"):
    raise SpeedflowError(
      f"{folder}: these weights have not learnt speed; train and export them "
      "as experiments/wan does"
    )
  if said.boundary is not None:
    raise SpeedflowError(
      f"{folder}: two transformers, of which each learnt a part of the times; "
      "only a Wan of one is read"
    )
  net = weights.transformer_config(folder / "transformer")
  channels = 2 * net.out_channels + layout.MASKS
  if net.in_channels != channels:
    raise SpeedflowError(
      f"{folder}: its transformer takes {net.in_channels} channels, where "
      f"records of latents give {channels}, with the known frames beside; "
      "train and export it as experiments/wan does"
    )
  if net.image_dim and not image_tokens:
    raise SpeedflowError(
      f"{folder}: it is told the first picture, which these records lack; "
      f"build the latents again with --weights {folder}"
    )
  trained = said.trained
  side = weights.autoencoder_config(folder / "vae").scale_factor_spatial
  return Sizes(
    (
      1 + (trained.frames - 1) // layout.MASKS,
      trained.height // side,
      trained.width // side,
      net.out_channels,
    ),
    (trained.words, net.text_dim),
    (image_tokens, net.image_dim) if net.image_dim else (0, 0),
  )


def example(
  record: latents.LatentRecord, sizes: Sizes, wanted_by: str
) -> dict[str, np.ndarray]:
  """The arrays of one clip.

  Args:
    record: the clip.
    sizes: that it is to have; a text is cut, or padded with 0.
    wanted_by: who wants these sizes, for errors, such as "config.data".

  Returns:
    latents: float16 [t', h', w', z]; beside: float16 [t', h', w', 4 + z], see
    `layout.condition`; words: float16 [m, features]; image: float16 [k,
    features], if there is one; log2_speed: float32 [t'].

  Raises:
    SpeedflowError: the record is of another size.
  """
  if record.latents.shape != sizes.latents:
    raise SpeedflowError(
      f"{record.id}: latents of {record.latents.shape}, where {wanted_by} has "
      f"{sizes.latents}; take what belongs together, or build the latents again"
    )
  masks = layout.mask(record.known[None])[0][:, None, None]
  masks = np.broadcast_to(masks, (*record.beside.shape[:-1], layout.MASKS))
  made = {
    "latents": record.latents,
    "beside": np.concatenate([masks, record.beside], -1).astype(np.float16),
    "words": _padded(record.words, sizes.words, wanted_by),
    "log2_speed": pipeline.of_latents(record.log2_step),
  }
  if sizes.image[0]:
    if record.image.shape[0] != sizes.image[0]:
      raise SpeedflowError(
        f"{record.id}: {record.image.shape[0]} tokens of a picture, where "
        f"{wanted_by} has {sizes.image[0]}; build the latents with the encoders"
        " of this Wan"
      )
    made["image"] = _padded(record.image, sizes.image, wanted_by)
  return made


def _padded(
  tokens: np.ndarray, size: tuple[int, int], wanted_by: str
) -> np.ndarray:
  padded = np.zeros(size, np.float16)
  if tokens.shape[1:] != size[1:]:
    raise SpeedflowError(
      f"tokens of {tokens.shape[-1]} features, where {wanted_by} has "
      f"{size[1]}; build the latents with the encoders of this Wan"
    )
  padded[: len(tokens)] = tokens[: size[0]]
  return padded


def require_autoencoder(records: pathlib.Path, folder: pathlib.Path) -> None:
  """Refuses latents that a pipeline's autoencoder would not decode.

  Args:
    records: folder of records of latents; passed without a `latents.SPEC`.
    folder: of the pipeline.

  Raises:
    SpeedflowError: they are of another one.
  """
  path, file = records / latents.SPEC, folder / "vae" / "config.json"
  if not path.exists():
    return
  try:
    made_by = json.loads(path.read_text(encoding="utf-8"))["autoencoder"]
    has = json.loads(file.read_text(encoding="utf-8"))
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise SpeedflowError(
      f"{path}, {file}: cannot be compared ({wording.one_line(error)}); "
      "build the latents again"
    ) from error
  differing = sorted(
    name
    for name in made_by.keys() | has.keys()
    if not name.startswith("_") and made_by.get(name) != has.get(name)
  )
  if differing:
    raise SpeedflowError(
      f"{records}: these latents are of another autoencoder than {folder} has "
      f"({differing[0]} differs); build them again with --weights {folder}"
    )
