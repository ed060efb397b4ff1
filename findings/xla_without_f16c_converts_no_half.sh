#!/usr/bin/env bash
# Package: jax 0.10.2, jaxlib 0.10.2, CPU, x86-64.
# One would expect: with `--xla_cpu_max_isa=SSE4_2` (what processors before 2012
# have) programs are slower, and give the same.
# Really: a program that converts float16 to float32 compiles, and raises
# "Failed to materialize symbols" when it first runs; float32 alone, and
# bfloat16, run. With AVX2, whose processors have F16C, all three do.
# Why it matters: whoever keeps inputs or weights in float16 cannot test for old
# processors in this way, nor run there.
set -euo pipefail

if [[ "$(uname -m)" != x86_64 ]]; then
  echo "This is about x86-64."
  exit 0
fi
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
import sys

import jax
import jax.numpy as jnp

x = jnp.ones((8, 16), sys.argv[1])
try:
  found = jax.jit(lambda x: x[:, 1:].astype(jnp.float32) * 2)(x)
  print("runs", float(found.sum()))
except jax.errors.JaxRuntimeError as error:
  print(str(error).split(":")[1].strip())
"""
found = {
  f"{isa}, {dtype}": subprocess.run(
    [sys.executable, "-c", CODE, dtype],
    env=os.environ
    | {"XLA_FLAGS": f"--xla_cpu_max_isa={isa}", "JAX_PLATFORMS": "cpu"},
    capture_output=True,
    text=True,
    check=True,
  ).stdout.strip()
  for isa in ("SSE4_2", "AVX2")
  for dtype in ("float16", "bfloat16", "float32")
}
print("seen:", found)
failed = [name for name, said in found.items() if not said.startswith("runs")]
if failed != ["SSE4_2, float16"]:
  sys.exit("changed: which conversions run")
EOF
venv/bin/python look.py
