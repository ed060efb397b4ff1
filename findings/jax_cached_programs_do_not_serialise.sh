#!/usr/bin/env bash
# Package: jax 0.10.2, jax.experimental.serialize_executable, CPU.
# One would expect: a compiled program serialises alike, wherever it is from.
# Really: one that JAX took from its compilation cache lacks functions once it
# is serialised: it loads, and what it gives raises "Function ... not found" once
# it is waited for. One that was compiled in this process runs.
# Why it matters: whoever keeps programs has to run each once, or goes without
# JAX's own cache.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cat >look.py <<'EOF'
import os
import subprocess
import sys

CODE = """
import jax
import numpy as np
from jax.experimental import serialize_executable


def function(x):
  for _ in range(5):
    x = jax.numpy.tanh(x @ x)
  return (x,)


shape = jax.ShapeDtypeStruct((8, 8), np.float32)
compiled = jax.jit(function).lower(shape).compile()
data, *_ = serialize_executable.serialize(compiled)
try:
  given = serialize_executable.deserialize_and_load(
    data, jax.tree.structure(((0,), {})), jax.tree.structure((0,))
  )(np.ones((8, 8), np.float32))
  # The error comes no sooner.
  jax.block_until_ready(given)
  print("runs")
except Exception as error:
  print(type(error).__name__, str(error)[:60])
"""
environment = os.environ | {
  "JAX_COMPILATION_CACHE_DIR": os.path.abspath("cache"),
  "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
  "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
  "JAX_PLATFORMS": "cpu",
}
found = [
  subprocess.run(
    [sys.executable, "-c", CODE],
    env=environment,
    capture_output=True,
    text=True,
    check=True,
  ).stdout.strip()
  for _ in range(2)
]
print(f"seen: compiled here: {found[0]}; from JAX's cache: {found[1]}")
if found[0] != "runs" or found[1] == "runs":
  sys.exit("changed: programs from the cache")
EOF
venv/bin/python look.py
