"""`tf.train.Example` messages, read and written without TensorFlow.

Reading copies nothing: the values of a bytes list are memoryviews of the
record, so that taking 16 of 512 JPEG frames costs 16 frames.

Source: tensorflow/core/example/{example,feature}.proto and the encoding of
protocol buffers, https://protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

# Tags (field number << 3 | wire type) of the length-delimited fields.
_FIRST = 1 << 3 | 2  # Example.features, Features.feature, key, *List.value.
_MAP_VALUE = 2 << 3 | 2
_BYTES_LIST = 1 << 3 | 2
_FLOAT_LIST = 2 << 3 | 2
_INT64_LIST = 3 << 3 | 2

_ONE = frozenset({_FIRST})
_ENTRY = frozenset({_FIRST, _MAP_VALUE})
_KINDS = frozenset({_BYTES_LIST, _FLOAT_LIST, _INT64_LIST})

Value = Sequence[bytes | memoryview] | np.ndarray
"""A list of byte strings, or a one-dimensional float32 or int64 array."""


def encode(features: Mapping[str, Value]) -> bytes:
  """Serialises features as a `tf.train.Example`, the same bytes every time.

  Args:
    features: by name, a list of byte strings, or an array with one axis: any
      floating dtype is stored as float32 and any integer dtype as int64.

  Returns:
    The serialised message, features sorted by name.

  Raises:
    TypeError: when an array is neither of integers nor of floats.
  """
  entries = [
    _field(
      _FIRST,
      _field(_FIRST, name.encode()) + _field(_MAP_VALUE, _feature(value)),
    )
    for name, value in sorted(features.items())
  ]
  return _field(_FIRST, b"".join(entries))


def decode(record: bytes | memoryview) -> dict[str, Any]:
  """Parses a serialised `tf.train.Example`.

  Args:
    record: the serialised message. It must outlive the memoryviews returned.

  Returns:
    By name, a list of memoryviews, or an array int64 [n] or float32 [n].

  Raises:
    ValueError: when the bytes are not a well-formed Example.
  """
  features: dict[str, Any] = {}
  try:
    for _, message in _fields(memoryview(record), _ONE):
      for _, entry in _fields(message, _ONE):
        parts = dict(_fields(entry, _ENTRY))
        name = bytes(parts[_FIRST]).decode()
        features[name] = _value(parts.get(_MAP_VALUE, memoryview(b"")))
  except (IndexError, KeyError, UnicodeDecodeError) as error:
    raise ValueError("not a tf.train.Example: truncated or damaged") from error
  return features


def _feature(value: Value) -> bytes:
  if not isinstance(value, np.ndarray):
    return _field(_BYTES_LIST, b"".join(_field(_FIRST, v) for v in value))
  if value.dtype.kind in "iu":
    return _field(_INT64_LIST, _field(_FIRST, _encode_varints(value)))
  if value.dtype.kind == "f":
    return _field(_FLOAT_LIST, _field(_FIRST, value.astype("<f4").tobytes()))
  raise TypeError(f"a feature must be bytes, int or float; got {value.dtype}")


def _value(feature: memoryview) -> list[memoryview] | np.ndarray:
  fields = _fields(feature, _KINDS)
  if not fields:
    return []
  tag, values = fields[-1]
  if tag == _BYTES_LIST:
    return [value for _, value in _fields(values, _ONE)]
  packed = b"".join(part for _, part in _fields(values, _ONE))
  if tag == _FLOAT_LIST:
    return np.frombuffer(packed, "<f4").astype(np.float32)
  return _decode_varints(packed)


def _field(tag: int, payload: bytes | memoryview) -> bytes:
  return b"".join((bytes([tag]), _varint(len(payload)), payload))


def _fields(
  message: memoryview, known: frozenset[int]
) -> list[tuple[int, memoryview]]:
  """Splits a message into its (tag, payload) pairs.

  Nearly all time of `decode` goes here: once round for every frame.
  """
  pairs = []
  position, end = 0, len(message)
  while position < end:
    tag = message[position]
    if tag not in known:
      raise ValueError(f"not a tf.train.Example: unexpected tag {tag}")
    length = message[position + 1]
    start = position + 2
    if length >= 0x80:
      length &= 0x7F
      shift = 7
      byte = 0x80
      while byte >= 0x80:
        byte = message[start]
        length |= (byte & 0x7F) << shift
        shift += 7
        start += 1
    position = start + length
    if position > end:
      raise IndexError("length beyond the end")
    pairs.append((tag, message[start:position]))
  return pairs


def _varint(value: int) -> bytes:
  groups = bytearray()
  while value >= 0x80:
    groups.append(value & 0x7F | 0x80)
    value >>= 7
  groups.append(value)
  return bytes(groups)


def _encode_varints(values: np.ndarray) -> bytes:
  # Negative numbers are written as their 64-bit two's complement.
  return b"".join(_varint(int(v) & (1 << 64) - 1) for v in values)


def _decode_varints(packed: bytes) -> np.ndarray:
  values = []
  value = shift = 0
  for byte in packed:
    value |= (byte & 0x7F) << shift
    shift += 7
    if byte < 0x80:
      values.append(value)
      value = shift = 0
  if shift:
    raise IndexError("the last varint does not end")
  try:
    return np.array(values, np.uint64).view(np.int64)
  except OverflowError as error:
    raise IndexError("a varint of more than 64 bits") from error
