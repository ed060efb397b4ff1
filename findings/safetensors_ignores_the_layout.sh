#!/usr/bin/env bash
# Package: safetensors 0.8.0, numpy flavour.
# One would expect: save_file() of an array that is not contiguous, such as a
# transpose or every second column, writes its values in order, or raises, as
# the PyTorch flavour does.
# Really: it writes the memory that lies there, under the array's shape: a
# transpose comes back with the values in other places, without a warning.
# np.ascontiguousarray() before it helps.
# Why it matters: converted weights, which often are transposed on the way, are
# wrong in silence.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq safetensors==0.8.0 numpy==2.4.6
cat >look.py <<'EOF'
import sys

import numpy as np
import safetensors.numpy

array = np.arange(12.0).reshape(3, 4)
found = {}
for name, given in {
  "contiguous": array,
  "transposed": array.T,
  "every second column": array[:, ::2],
  "reversed": array[::-1],
  "transposed, made contiguous": np.ascontiguousarray(array.T),
}.items():
  safetensors.numpy.save_file({"a": given}, "a.safetensors")
  back = safetensors.numpy.load_file("a.safetensors")["a"]
  found[name] = bool(np.array_equal(back, given))
  print(f"seen: {name}: comes back as it was: {found[name]}")
if found["transposed"]:
  sys.exit("changed: a transposed array comes back as it was now")
if not found["contiguous"] or not found["transposed, made contiguous"]:
  sys.exit("changed: contiguous arrays do not come back as they were")
EOF
venv/bin/python look.py
