"""Video and sound files in and out: frames with exact time stamps."""

from speedflow.media.audio import (
  Audio,
  audio_blocks,
  decode_flac,
  encode_flac,
  read_audio,
)
from speedflow.media.colour import Colour
from speedflow.media.encoding import PixelFormat, colour_for, pixel_format_for
from speedflow.media.joiner import Piece, join
from speedflow.media.keyframes import Sample, sample_keyframes
from speedflow.media.muxer import fine_time_base, is_ours, require_suffix
from speedflow.media.photron import files_of
from speedflow.media.video import (
  Frame,
  ReadFormat,
  VideoInfo,
  VideoReader,
  probe,
)
from speedflow.media.writer import VideoWriter

__all__ = [
  "Audio",
  "Colour",
  "Frame",
  "Piece",
  "PixelFormat",
  "ReadFormat",
  "Sample",
  "VideoInfo",
  "VideoReader",
  "VideoWriter",
  "audio_blocks",
  "colour_for",
  "decode_flac",
  "encode_flac",
  "files_of",
  "fine_time_base",
  "is_ours",
  "join",
  "pixel_format_for",
  "probe",
  "read_audio",
  "require_suffix",
  "sample_keyframes",
]
