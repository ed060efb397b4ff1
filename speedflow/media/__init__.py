"""Video and sound files in and out: frames with exact time stamps."""

from speedflow.media.audio import (
  Audio,
  audio_blocks,
  decode_flac,
  encode_flac,
  read_audio,
)
from speedflow.media.keyframes import Sample, sample_keyframes
from speedflow.media.video import Frame, VideoInfo, VideoReader, probe
from speedflow.media.writer import VideoWriter

__all__ = [
  "Audio",
  "Frame",
  "Sample",
  "VideoInfo",
  "VideoReader",
  "VideoWriter",
  "audio_blocks",
  "decode_flac",
  "encode_flac",
  "probe",
  "read_audio",
  "sample_keyframes",
]
