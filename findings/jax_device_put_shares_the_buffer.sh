#!/usr/bin/env bash
# Package: jax 0.10.2 on the CPU.
# One would expect: jax.device_put copies a NumPy array, so that the buffer can
# be filled with the next frame, or at least that it does so always or never.
# Really: where the array happens to begin at a multiple of 64 bytes, the JAX
# array is a view of it and changes with it; elsewhere it is a copy. jnp.array
# always copies.
# Why it matters: a pipeline that reads into one buffer again and again changes
# batches that it has handed out, but only where the allocator happens to begin
# arrays so.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cat >look.py <<'EOF'
import sys

import jax
import jax.numpy as jnp
import numpy as np

SIZE = 1 << 20


def aligned(offset):
  raw = np.zeros(SIZE + 128, np.uint8)
  begin = -raw.ctypes.data % 64 + offset
  return raw[begin : begin + SIZE]


def follows(put, offset):
  buffer = aligned(offset)
  array = jax.block_until_ready(put(buffer))
  buffer[:] = 7
  return bool(array[0] == 7)


found = {
  (name, offset): follows(put, offset)
  for name, put in (("device_put", jax.device_put), ("jnp.array", jnp.array))
  for offset in (0, 16, 32)
}
for (name, offset), changed in found.items():
  print(
    f"seen: {name}, {offset} bytes past a multiple of 64:"
    f" {'changes with the buffer' if changed else 'a copy'}"
  )
if [key for key, changed in found.items() if changed] != [("device_put", 0)]:
  sys.exit("changed: another set of arrays shares its buffer now")
EOF
venv/bin/python look.py
