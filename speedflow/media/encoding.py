"""How pictures are stored in a file that is written."""

import dataclasses
import os
import pathlib
from fractions import Fraction
from typing import Any, Literal, cast

import numpy as np
from av.container import OutputContainer
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from speedflow.errors import SpeedflowError
from speedflow.media.colour import BT709, Colour
from speedflow.media.info import VideoInfo

PixelFormat = Literal[
  "yuv420p", "yuv422p", "yuv444p",
  "yuv420p10le", "yuv422p10le", "yuv444p10le",
  "rgb24", "rgba", "rgba64be", "yuva444p10le",
]  # fmt: skip
"""H.264, of 8 or 10 bits; "rgba" and "rgba64be" are PNG, lossless, and
"yuva444p10le" is ProRes 4444: these three hold transparency."""

# What an array of this many channels is called, by the size of a sample.
_GIVEN = {
  (1, 3): "rgb24",
  (1, 4): "rgba",
  (2, 3): "rgb48le",
  (2, 4): "rgba64le",
}
_CODECS = {
  "rgb24": "libx264rgb",
  "rgba": "png",
  "rgba64be": "png",
  "yuva444p10le": "prores_ks",
}


@dataclasses.dataclass(frozen=True)
class Encoding:
  """How pictures are stored.

  Attributes:
    pixel_format: see `PixelFormat`.
    size: (width, height) in pixels.
    crf: x264's constant rate factor, 0 (lossless in the stored pixel format)
      to 51 (worst); it is for H.264 only.
    colour: what the stored numbers mean.
    reordered: whether pictures may be stored in another order than shown,
      which takes less space.
    pixel_aspect: width / height of a pixel.
  """

  pixel_format: PixelFormat
  size: tuple[int, int]
  crf: int
  colour: Colour
  reordered: bool = True
  pixel_aspect: Fraction = Fraction(1)

  def add_stream(
    self, container: OutputContainer, fps: Fraction, time_base: Fraction
  ) -> VideoStream:
    """Adds a stream of such pictures to a file."""
    codec = _CODECS.get(self.pixel_format, "libx264")
    options: dict[str, str] = {}
    if codec.startswith("libx264"):
      # Of 10 bits, a rate factor of 0 is not without loss.
      options |= {"crf": str(self.crf)} if self.crf else {"qp": "0"}
      if not self.reordered:
        options["bf"] = "0"
    elif codec == "prores_ks":
      options["profile"] = "4444"
    stream = cast(
      VideoStream, container.add_stream(codec, rate=fps, options=options)
    )
    stream.width, stream.height = self.size
    stream.pix_fmt = self.pixel_format
    stream.time_base = time_base
    context: Any = stream.codec_context
    context.time_base = time_base
    context.sample_aspect_ratio = self.pixel_aspect
    context.color_primaries = self.colour.primaries
    context.color_trc = self.colour.transfer
    if not self._is_rgb:
      context.colorspace = self.colour.matrix_tag
      context.color_range = self.colour.range_code
    return stream

  def picture(
    self, image: np.ndarray, reformatter: VideoReformatter
  ) -> VideoFrame:
    """Turns an image into a picture as it is stored.

    Args:
      image: uint8 or uint16 [h, w, 3] RGB or [h, w, 4] RGBA, full range.
      reformatter: to be used again for the next image of this size.

    Raises:
      ValueError: the image has another shape or type.
    """
    width, height = self.size
    given = None
    if image.shape[:2] == (height, width) and image.dtype.kind == "u":
      given = _GIVEN.get((image.itemsize, image.shape[-1]))
    if given is None or image.ndim != 3:
      raise ValueError(
        f"image is {image.dtype} {image.shape}, wanted uint8 or uint16"
        f" {(height, width)} of 3 or 4 channels"
      )
    picture = VideoFrame.from_ndarray(np.ascontiguousarray(image), given)
    if given == self.pixel_format:
      return picture
    colour = self.colour
    stored = reformatter.reformat(
      picture,
      format=self.pixel_format,
      dst_colorspace=None if self._is_rgb else colour.matrix,
      interpolation=Interpolation.AREA | Interpolation.ACCURATE_RND,
      src_color_range=ColorRange.JPEG,
      dst_color_range=ColorRange.JPEG if self._is_rgb else colour.range_code,
      threads=1,
    )
    if not self._is_rgb:
      # Some encoders ask each picture, not the stream.
      stored.colorspace = colour.matrix_tag
      stored.color_range = colour.range_code
      stored.color_primaries = colour.primaries
      stored.color_trc = colour.transfer
    return stored

  @property
  def _is_rgb(self) -> bool:
    return self.pixel_format.startswith("rgb")


def pixel_format_for(
  path: str | os.PathLike[str], info: VideoInfo, *, alpha: bool, crf: int
) -> PixelFormat:
  """Chooses the pixel format that keeps most of another file's pictures.

  Args:
    path: the file to be written.
    info: of the other file.
    alpha: whether its transparency is to be kept.
    crf: as of `Encoding`; 0 wants a lossless format.

  Raises:
    SpeedflowError: `path` names a container that cannot hold this.
  """
  stored = VideoFormat(info.pixel_format)
  deep = info.bit_depth > 8
  suffix = pathlib.Path(path).suffix.lower()
  if alpha:
    wanted = {".mp4": ".mov or .mkv", ".mkv": ".mov" if crf == 0 else ""}
    if wanted.get(suffix):
      raise SpeedflowError(
        f"{path}: {info.path} is transparent in parts, which {suffix} does not"
        f" hold{' without loss' if crf == 0 else ''}; name the output"
        f" {wanted[suffix]}"
      )
    if crf == 0:
      return "rgba64be" if deep else "rgba"
    return "yuva444p10le"
  if stored.is_rgb and crf == 0 and not deep:
    return "rgb24"
  sampling = "444"
  if len(stored.components) < 3 and not stored.has_palette:
    sampling = "420"  # Grey: players know no film without colour.
  elif stored.chroma_height(16) < 16 and stored.chroma_width(16) < 16:
    sampling = "420"
  elif stored.chroma_width(16) < 16:
    sampling = "422"
  return cast(PixelFormat, f"yuv{sampling}p{'10le' if deep else ''}")


def colour_for(info: VideoInfo) -> Colour:
  """Colours like those of another file, for pictures of luma and colour."""
  stored = VideoFormat(info.pixel_format)
  return BT709 if stored.is_rgb or stored.has_palette else info.colour


def whole_pixels(
  pixel_format: PixelFormat, size: tuple[int, int]
) -> PixelFormat:
  """The pixel format itself, or one that holds an odd width or height."""
  if size[0] % 2 or size[1] % 2:
    for sampling in ("420", "422"):
      pixel_format = cast(PixelFormat, pixel_format.replace(sampling, "444"))
  return pixel_format
