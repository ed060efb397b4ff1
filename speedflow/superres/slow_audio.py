"""The sound of a video that is slowed."""

import dataclasses
import os
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from speedflow import media
from speedflow.timewarp import audio

# Sound is stretched in pieces of so many seconds, so that any length fits
# into memory; they fade into each other.
_PIECE_S = 20.0
_FADE_S = 0.1


def sound(
  path: str | os.PathLike[str],
  mode: str,
  origin: Fraction,
  start: Fraction,
  slowdown: Fraction,
) -> Iterator[media.Audio] | None:
  """Reads the sound of a file as it goes with the slowed picture.

  Args:
    path: the file.
    mode: "keep" as it is, "stretch" at its old pitch, or "drop".
    origin: time of the first frame in the file, seconds.
    start: its time in the slowed video, seconds.
    slowdown: how many times slower the picture plays.

  Returns:
    The sound, block by block; None to drop it.
  """
  if mode == "drop":
    return None
  blocks = (
    dataclasses.replace(block, start_s=block.start_s + float(start - origin))
    for block in media.audio_blocks(path)
  )
  if mode == "keep" or slowdown == 1:
    return blocks
  return stretched(blocks, float(start), float(slowdown))


def require_encoder(
  path_in: str | os.PathLike[str], path_out: str | os.PathLike[str]
) -> None:
  """Raises SpeedflowError unless a file can hold the sound of another."""
  block = next(media.audio_blocks(path_in, 0.1), None)
  if block is not None:
    media.sound_encoder(path_out, media.layout_of(block))


def start_s(path: str | os.PathLike[str]) -> float | None:
  """When the sound of a file begins; None where there is none."""
  block = next(media.audio_blocks(path, 0.1), None)
  return None if block is None else block.start_s


def stretched(
  blocks: Iterator[media.Audio], origin: float, slowdown: float
) -> Iterator[media.Audio]:
  """Slows sound at its old pitch.

  Args:
    blocks: seamless sound.
    origin: a time that stays where it is, seconds.
    slowdown: 2.0 lasts twice as long.

  Yields:
    Seamless sound, on the clock of the slowed picture.
  """
  held = np.zeros((0, 0), np.float32)
  tail = np.zeros((0, 0), np.float32)
  rate, start, layout = 0, 0.0, ""
  for block in blocks:
    if not rate:
      layout = block.layout
      rate, start = block.rate, origin + (block.start_s - origin) * slowdown
      held = block.samples[:0]
    held = np.concatenate([held, block.samples])
    piece, fade = round(_PIECE_S * rate), round(_FADE_S * rate)
    while len(held) >= piece + fade:
      slow = audio.stretch(held[: piece + fade], 1 / slowdown)
      body = len(slow) - round(fade * slowdown)
      out = _fade(tail, slow[:body])
      yield media.Audio(out, rate, start, layout)
      start += len(out) / rate
      tail, held = slow[body:], held[piece:]
  if len(held):
    yield media.Audio(
      _fade(tail, audio.stretch(held, 1 / slowdown)), rate, start, layout
    )


def _fade(tail: np.ndarray, samples: np.ndarray) -> np.ndarray:
  """Fades from the end of one piece to the beginning of the next."""
  count = min(len(tail), len(samples))
  if not count:
    return samples
  share = np.linspace(0, 1, count, dtype=np.float32)[:, None]
  head = tail[:count] * (1 - share) + samples[:count] * share
  return np.concatenate([head, samples[count:]])
