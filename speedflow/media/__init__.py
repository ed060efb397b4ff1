"""Video and sound files in and out: frames with exact time stamps."""

from speedflow.media.audio import (
  Audio,
  audio_blocks,
  decode_flac,
  encode_flac,
  read_audio,
)
from speedflow.media.colour import Colour
from speedflow.media.container import raw_streams_at
from speedflow.media.encoding import PixelFormat, colour_for, pixel_format_for
from speedflow.media.info import VideoInfo
from speedflow.media.joiner import Piece, join
from speedflow.media.keyframes import Sample, sample_keyframes
from speedflow.media.muxer import (
  fine_time_base,
  is_ours,
  layout_of,
  require_suffix,
  sound_encoder,
)
from speedflow.media.photron import files_of
from speedflow.media.timeline import Timeline
from speedflow.media.video import (
  Frame,
  ReadFormat,
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
  "Timeline",
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
  "layout_of",
  "pixel_format_for",
  "probe",
  "raw_streams_at",
  "read_audio",
  "require_suffix",
  "sample_keyframes",
  "sound_encoder",
]
