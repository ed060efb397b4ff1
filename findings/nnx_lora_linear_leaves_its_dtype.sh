#!/usr/bin/env bash
# Package: flax 0.12.8, jax 0.10.2.
# One would expect: `nnx.LoRALinear(..., dtype=bfloat16)` computes in bfloat16,
# as `nnx.Linear` does that it replaces.
# Really: the low-rank part has a type of its own, `lora_dtype`, which is not
# taken from `dtype`: its parameters are float32, so what comes out is float32,
# and everything after it is computed in float32, in silence. With
# `lora_dtype=bfloat16` as well it is bfloat16.
# Why it matters: matrices added to a large network double its activations and
# halve its speed, where a fraction of a percent of the parameters was added.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq flax==0.12.8 jax==0.10.2 jaxlib==0.10.2
cat >look.py <<'EOF'
import sys

import jax.numpy as jnp
from flax import nnx

given = jnp.ones((1, 4), jnp.bfloat16)
common = {"dtype": jnp.bfloat16, "param_dtype": jnp.bfloat16, "rngs": nnx.Rngs(0)}
layers = {
  "Linear": nnx.Linear(4, 4, **common),
  "LoRALinear": nnx.LoRALinear(4, 4, lora_rank=2, **common),
  "LoRALinear, lora_dtype": nnx.LoRALinear(
    4, 4, lora_rank=2, lora_dtype=jnp.bfloat16, **common
  ),
}
found = {name: str(layer(given).dtype) for name, layer in layers.items()}
print("seen:", found)
if list(found.values()) != ["bfloat16", "float32", "bfloat16"]:
  sys.exit("changed: the type that comes out")
EOF
venv/bin/python look.py
