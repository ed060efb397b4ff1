"""Wan's networks give what diffusers and transformers give.

The other side was computed by `experiments/wan/reference.py`; see `parity`.
"""

import json

import numpy as np
import pytest

from experiments.wan import parity
from speedflow.weights import wan as weights

_RECORDED = json.loads(parity.RECORDED.read_text())
# One of each kind; the others are slow.
_QUICK = {
  "I2V",
  "2.2, encoder, 5 frames",
  "2.1, decoder, 2 latent frames",
  "UMT5",
  "CLIP",
  "T2V, 10 steps of unipc",
}
_PARTS = {
  "encode": "vae",
  "decode": "vae",
  "text": "text_encoder",
  "image": "image_encoder",
}


def _shapes(case):
  return {
    name: tuple(map(int, shape.split("x"))) if shape else ()
    for name, shape in _RECORDED["tensors"][parity.network_of(case)].items()
  }


@pytest.mark.parametrize(
  "name",
  [
    pytest.param(name, marks=() if name in _QUICK else pytest.mark.slow)
    for name in parity.CASES
  ],
)
def test_a_network_gives_what_the_reference_gives(name, tmp_path):
  case, recorded = parity.CASES[name], _RECORDED["cases"][name]
  found = parity.ours(case, _shapes(case), tmp_path)
  difference = np.abs(parity.kept(found) - recorded["values"]).max()
  assert difference <= parity.TOLERANCE * recorded["scale"]


@pytest.mark.parametrize("name", parity.CASES)
def test_tensors_have_the_names_and_shapes_of_the_reference(name):
  case = parity.CASES[name]
  part = _PARTS.get(case.part, "transformer")
  fields = {
    key: value
    for key, value in case.fields.items()
    if key not in ("method", "steps")
  }
  wanted = _shapes(case)
  ours = weights.published(part, fields)
  assert {key: wanted[key] for key in ours} == ours
  # What is left is the block of CLIP that Wan does not ask.
  assert part == "image_encoder" or set(wanted) == set(ours)
