"""Sound comes in at its own rate and layout, and in time with the picture."""

import av
import numpy as np
import pytest

from speedflow.errors import SpeedflowError
from speedflow.media import (
  Audio,
  audio_blocks,
  decode_flac,
  encode_flac,
  probe,
  read_audio,
)


@pytest.mark.parametrize(
  ("rate", "layout", "channels"),
  [
    (8000, "mono", 1),
    (44100, "stereo", 2),
    (48000, "5.1", 6),
    (96000, "stereo", 2),
  ],
)
def test_any_rate_and_layout(make_clip, make_tone, rate, layout, channels):
  tone = make_tone(1.0, rate, channels)
  path = make_clip(
    "clip.mkv", sound=tone, rate=rate, layout=layout, sound_codec="flac"
  )

  audio = read_audio(path)

  assert audio.rate == rate
  assert audio.samples.dtype == np.float32
  assert audio.samples.shape == (rate, channels)
  assert audio.duration_s == pytest.approx(1.0)
  assert np.abs(audio.samples - tone).max() < 1e-4


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_late_sound_keeps_its_time(make_clip, name):
  noise = np.random.default_rng(0).normal(0, 0.1, (88200, 1))
  path = make_clip(name, sound=noise, rate=44100, sound_start_s=0.75)

  audio = read_audio(path)

  lags = np.correlate(audio.samples[:, 0], noise[:4000, 0], "valid")
  heard_s = audio.start_s + np.argmax(lags) / audio.rate
  assert heard_s == pytest.approx(0.75, abs=0.001)  # The file keeps ms.


def test_sound_may_outlast_the_picture(make_clip, make_tone):
  path = make_clip(count=3, sound=make_tone(4.0))

  assert probe(path).duration_s == pytest.approx(0.1)
  assert read_audio(path).duration_s == pytest.approx(4.0, abs=0.05)


def test_no_sound_track_gives_none(make_clip):
  path = make_clip()

  assert read_audio(path) is None
  assert list(audio_blocks(path)) == []


def test_mono_averages_the_channels(make_clip, make_tone):
  tone = make_tone(channels=2)
  path = make_clip("clip.mkv", sound=tone, layout="stereo", sound_codec="flac")

  mono = read_audio(path, mono=True).samples

  assert mono.shape == (48000, 1)
  assert np.abs(mono[:, 0] - tone.mean(axis=1)).max() < 1e-4


@pytest.mark.parametrize("codec", ["flac", "aac"])
def test_span_equals_that_part_of_the_whole(make_clip, make_tone, codec):
  chord = make_tone(5.0, channels=5).sum(axis=1, keepdims=True) / 3
  path = make_clip(sound=chord, sound_codec=codec)
  whole = read_audio(path)

  part = read_audio(path, start_s=2.5, end_s=3.25)

  first = round((2.5 - whole.start_s) * 48000)
  assert part.start_s == pytest.approx(2.5)
  assert part.samples.shape == (36000, 1)
  assert np.allclose(
    part.samples, whole.samples[first : first + 36000], atol=1e-3
  )


@pytest.mark.parametrize("span", [(50.0, 60.0), (0.5, 0.5)])
def test_span_without_sound_is_empty(make_clip, make_tone, span):
  path = make_clip(sound=make_tone(channels=2), layout="stereo")

  audio = read_audio(path, *span)

  assert audio.samples.shape == (0, 2)
  assert audio.rate == 48000


def test_blocks_join_to_the_whole(make_clip, make_tone):
  path = make_clip(sound=make_tone(2.5), sound_start_s=0.3)
  whole = read_audio(path)

  blocks = list(audio_blocks(path, seconds=0.4))

  assert all(len(block.samples) == 19200 for block in blocks[:-1])
  starts = [block.start_s for block in blocks]
  assert starts == pytest.approx(
    [whole.start_s + 0.4 * i for i in range(len(blocks))]
  )
  joined = np.concatenate([block.samples for block in blocks])
  assert np.array_equal(joined, whole.samples)


def test_gap_in_the_time_stamps_is_silence(tmp_path, make_tone):
  path = tmp_path / "gap.mkv"
  tone = make_tone(0.5)
  with av.open(str(path), "w") as container:
    track = container.add_stream("pcm_f32le", rate=48000, layout="mono")
    for start in (0, 48000):
      frame = av.AudioFrame.from_ndarray(tone.T.copy(), "flt", "mono")
      frame.sample_rate, frame.pts = 48000, start
      container.mux(track.encode(frame))
    container.mux(track.encode(None))

  samples = read_audio(path).samples

  assert len(samples) == 72000
  assert np.allclose(samples[:24000], tone)
  assert not samples[24000:48000].any()
  assert np.allclose(samples[48000:], tone)


def test_unreadable_sound_is_refused(make_clip, make_tone):
  path = make_clip("clip.mkv", sound=make_tone(), sound_codec="flac")
  data = bytearray(path.read_bytes())
  at = 0
  while (at := data.find(b"\xff\xf8", at)) >= 0:  # A FLAC frame begins.
    data[at : at + 64] = bytes(64)
    at += 64
  path.write_bytes(data)

  with pytest.raises(SpeedflowError, match=r"clip\.mkv.*sound") as caught:
    read_audio(path)
  assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
  ("rate", "channels"), [(8000, 1), (44100, 2), (48000, 6)]
)
def test_flac_keeps_sixteen_bits(make_tone, rate, channels):
  tone = make_tone(0.3, rate, channels)

  audio = decode_flac(encode_flac(Audio(tone, rate)))

  assert audio.rate == rate
  assert audio.samples.dtype == np.float32
  assert audio.samples.shape == tone.shape
  assert np.abs(audio.samples - tone).max() <= 2**-15
  assert decode_flac(encode_flac(audio)).samples.tobytes() == (
    audio.samples.tobytes()
  )


def test_flac_clips_what_is_too_loud():
  loud = np.array([[2.0], [-2.0]], np.float32)

  samples = decode_flac(encode_flac(Audio(loud, 8000))).samples

  assert np.allclose(samples, [[1.0], [-1.0]], atol=1e-4)


def test_bytes_that_are_not_flac_are_refused():
  with pytest.raises(SpeedflowError, match="not FLAC"):
    decode_flac(b"no sound")


def test_more_channels_than_flac_holds_are_refused():
  with pytest.raises(SpeedflowError, match="9 channels"):
    encode_flac(Audio(np.zeros((10, 9), np.float32), 48000))
