"""From a text to the numbers of its tokens."""

import html
import json
import pathlib
import re
from typing import Any

import numpy as np

from speedflow import wording
from speedflow.errors import SpeedflowError

LENGTH = 512
"""Tokens of a text; longer ones are cut off."""


def import_tokenizers() -> Any:
  """Returns the module tokenizers.

  Raises:
    SpeedflowError: it is not installed.
  """
  try:
    import tokenizers
  except ImportError as error:
    raise SpeedflowError(
      "tokenizers is not installed, which Wan's texts are cut with; run "
      "`pip install '.[wan]'` in the folder of speedflow"
    ) from error
  return tokenizers


class Tokenizer:
  """The text encoder's own cutting of texts into tokens."""

  def __init__(self, folder: pathlib.Path):
    """Reads it.

    Args:
      folder: with `tokenizer.json`.

    Raises:
      SpeedflowError: the library tokenizers is not installed, or the file is
        missing or damaged.
    """
    tokenizers = import_tokenizers()
    path = folder / "tokenizer.json"
    try:
      self._tokenizer = tokenizers.Tokenizer.from_str(
        path.read_text(encoding="utf-8")
      )
    # The library raises this very class.
    except Exception as error:
      raise SpeedflowError(
        f"{path}: no tokenizer ({wording.one_line(error)}); copy or download it"
        " again"
      ) from error
    self._tokenizer.enable_truncation(LENGTH)
    self._tokenizer.enable_padding(length=LENGTH, **_padding(folder))

  def __call__(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Cuts texts.

    Args:
      texts: [b].

    Returns:
      Numbers of tokens, int32 [b, 512], and where there is one, bool [b, 512].
    """
    found = self._tokenizer.encode_batch([_clean(text) for text in texts])
    return (
      np.array([each.ids for each in found], np.int32),
      np.array([each.attention_mask for each in found], bool),
    )


def _clean(text: str) -> str:
  """Resolves entities of HTML, and makes all white space one blank."""
  plain = html.unescape(html.unescape(text))
  return re.sub(r"\s+", " ", plain).strip()


def _padding(folder: pathlib.Path) -> dict[str, str]:
  path = folder / "tokenizer_config.json"
  if not path.exists():
    return {"pad_token": "<pad>"}
  try:
    said = json.loads(path.read_text(encoding="utf-8"))["pad_token"]
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise SpeedflowError(
      f"{path}: no pad_token in it ({wording.one_line(error)}); copy or "
      "download it again"
    ) from error
  return {"pad_token": said if isinstance(said, str) else said["content"]}
