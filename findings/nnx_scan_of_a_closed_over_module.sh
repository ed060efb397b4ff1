#!/usr/bin/env bash
# Package: flax 0.12.8, flax.nnx, jax 0.10.2, CPU.
# One would expect: a module that calls its stacked blocks by `nnx.scan` may be
# called within `jax.jit`, closed over, as any other module may be.
# Really: without the scan it may; with it, a ValueError speaks of another trace
# level. `jax.lax.scan` over what `nnx.split` gives, with `nnx.merge` within,
# works in either case.
# Why it matters: networks of many blocks are scanned over to be compiled once,
# and callers should not have to know which are.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq flax==0.12.8 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cat >look.py <<'EOF'
import sys

import jax
import jax.numpy as jnp
from flax import nnx


@nnx.split_rngs(splits=3)
@nnx.vmap(in_axes=0, out_axes=0)
def stacked(rngs):
  return nnx.Linear(4, 4, rngs=rngs)


layers, one = stacked(nnx.Rngs(0)), nnx.Linear(4, 4, rngs=nnx.Rngs(0))


@nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
def scanned(x, layer):
  return layer(x)


def split_and_merged(x):
  graph, states = nnx.split(layers)

  def step(x, state):
    return nnx.merge(graph, state)(x), None

  return jax.lax.scan(step, x, states)[0]


def tried(function):
  try:
    return str(jax.jit(function)(jnp.ones((2, 4))).shape)
  except ValueError as error:
    return str(error)[:58]


found = {
  "one layer": tried(lambda x: one(x)),
  "nnx.scan": tried(lambda x: scanned(x, layers)),
  "nnx.split and jax.lax.scan": tried(split_and_merged),
}
print(f"seen within jax.jit: {found}")
fine = [name for name, said in found.items() if said == "(2, 4)"]
if fine != ["one layer", "nnx.split and jax.lax.scan"]:
  sys.exit("changed: what may be closed over")
EOF
venv/bin/python look.py
