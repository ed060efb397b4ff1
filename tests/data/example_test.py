import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from tensorflow_datasets.proto import tf_example_generated_pb2 as reference

from speedflow.data import example

_INT64 = st.integers(-(2**63), 2**63 - 1)
_FEATURE = st.one_of(
  st.lists(st.binary(max_size=300), max_size=4),
  st.lists(_INT64, min_size=1).map(lambda v: np.array(v, np.int64)),
  st.lists(st.floats(width=32), min_size=1).map(
    lambda v: np.array(v, np.float32)
  ),
)
_FEATURES = st.dictionaries(st.text(max_size=200), _FEATURE, max_size=5)


def _reference_message(features):
  message = reference.Example()
  for name, value in features.items():
    feature = message.features.feature[name]
    if not isinstance(value, np.ndarray):
      feature.bytes_list.value.extend(value)
    elif value.dtype == np.int64:
      feature.int64_list.value.extend(value.tolist())
    else:
      feature.float_list.value.extend(value.tolist())
    if isinstance(value, list):
      feature.bytes_list.SetInParent()
  return message


def _assert_same(decoded, features):
  assert decoded.keys() == features.keys()
  for name, value in features.items():
    if isinstance(value, np.ndarray):
      assert decoded[name].dtype == value.dtype
      np.testing.assert_array_equal(decoded[name], value)
    else:
      assert [bytes(v) for v in decoded[name]] == value


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(_FEATURES)
def test_reads_what_protocol_buffers_wrote(features):
  record = _reference_message(features).SerializeToString()
  _assert_same(example.decode(record), features)


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(_FEATURES)
def test_protocol_buffers_read_what_it_wrote(features):
  parsed = reference.Example.FromString(example.encode(features))
  wanted = _reference_message(features)
  assert parsed.features.SerializeToString(
    deterministic=True
  ) == wanted.features.SerializeToString(deterministic=True)


def test_tensorflow_reads_what_it_wrote():
  tf = pytest.importorskip("tensorflow")
  record = example.encode({"a": [b"x", b""], "n": np.array([-1, 7])})
  parsed = tf.train.Example.FromString(record).features.feature
  assert list(parsed["a"].bytes_list.value) == [b"x", b""]
  assert list(parsed["n"].int64_list.value) == [-1, 7]


def test_bytes_are_views_of_the_record_not_copies():
  record = example.encode({"frames": [b"a" * 1000, b"b" * 1000]})
  assert all(v.obj is record for v in example.decode(record)["frames"])


def test_order_of_features_does_not_change_the_bytes():
  assert example.encode({"a": [b"1"], "b": [b"2"]}) == example.encode(
    {"b": [b"2"], "a": [b"1"]}
  )


def test_every_truncation_is_refused_or_loses_whole_features():
  record = example.encode({"frames": [b"abc"], "n": np.array([300])})
  for length in range(1, len(record)):
    with pytest.raises(ValueError, match=r"not a tf\.train\.Example"):
      example.decode(record[:length])


@hypothesis.settings(max_examples=100, deadline=None)
@hypothesis.given(st.binary(max_size=60))
def test_garbage_raises_nothing_but_value_error(garbage):
  try:
    example.decode(garbage)
  except ValueError as error:
    assert "tf.train.Example" in str(error)


def test_other_arrays_are_refused():
  with pytest.raises(TypeError, match="complex"):
    example.encode({"z": np.zeros(1, np.complex64)})
