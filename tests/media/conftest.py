"""Clips made with PyAV alone, so that the reader is tested against FFmpeg."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame


def _ramp(index: int, width: int, height: int) -> np.ndarray:
  """A smooth picture whose brightness tells its index; uint8 [h, w, 3]."""
  across = np.linspace(0, 120, width)[None, :, None]
  return np.broadcast_to(across + 10 * index, (height, width, 3)).astype(
    np.uint8
  )


@pytest.fixture
def ramp():
  return _ramp


@pytest.fixture
def make_clip(tmp_path):
  """Encodes a clip; see the arguments for what can be odd about it."""

  def make(
    name="clip.mp4",
    images=None,
    *,
    size=(64, 48),
    count=12,
    stamps=None,
    time_base=Fraction(1, 30),
    codec="libx264",
    pixel_format="yuv420p",
    options=None,
    full_range=False,
    rotation=0,
    hflip=False,
    sound=None,
    rate=48000,
    layout="mono",
    sound_codec="aac",
    sound_start_s=0.0,
  ):
    path = tmp_path / name
    if images is None:
      images = [_ramp(i, *size) for i in range(count)]
    if stamps is None:
      stamps = range(len(images))
    with av.open(str(path), "w") as container:
      stream = container.add_stream(codec, rate=30, options=options or {})
      stream.height, stream.width = images[0].shape[:2]
      stream.pix_fmt = pixel_format
      stream.codec_context.time_base = time_base
      stream.codec_context.color_range = 2 if full_range else 1
      if rotation or hflip:
        stream.set_display_rotation(rotation, hflip=hflip)
      if sound is not None:
        track = container.add_stream(sound_codec, rate=rate, layout=layout)
      for image, stamp in zip(images, stamps, strict=True):
        frame = VideoFrame.from_ndarray(image, "rgb24").reformat(
          format=pixel_format,
          dst_colorspace="ITU601",
          src_color_range="JPEG",
          dst_color_range="JPEG" if full_range else "MPEG",
        )
        frame.pts, frame.time_base = stamp, time_base
        container.mux(stream.encode(frame))
      container.mux(stream.encode(None))
      if sound is not None:
        frame = AudioFrame.from_ndarray(
          np.ascontiguousarray(sound.T, np.float32), "fltp", layout
        )
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = round(sound_start_s * rate)
        container.mux(track.encode(frame))
        container.mux(track.encode(None))
    return path

  return make


@pytest.fixture
def make_tone():
  """Sine tones, one per channel; float32 [samples, channels]."""

  def make(seconds=1.0, rate=48000, channels=1):
    time = np.arange(round(seconds * rate)) / rate
    pitches = 440.0 * (1 + np.arange(channels))
    return (0.3 * np.sin(2 * np.pi * time[:, None] * pitches)).astype(
      np.float32
    )

  return make
