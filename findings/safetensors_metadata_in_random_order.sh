#!/usr/bin/env bash
# Package: safetensors 0.8.0.
# One would expect: the same arrays and metadata give the same file.
# Really: metadata of more than one entry are written in an order that changes
# from call to call, so the files have different bytes and digests. With one
# entry they are the same.
# Why it matters: files of weights that are known by their sha256, as in caches
# and records of runs, seem to be others each time they are written.
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

arrays = {"a": np.arange(3.0), "b": np.arange(2)}


def different(entries):
  metadata = {f"key{n}": str(n) for n in range(entries)}
  return len({safetensors.numpy.save(arrays, metadata) for _ in range(50)})


one, eight = different(1), different(8)
print(f"seen: 50 times the same with 1 entry of metadata: {one} contents")
print(f"seen: 50 times the same with 8 entries of metadata: {eight} contents")
if one != 1 or eight == 1:
  sys.exit("changed: the order of metadata is another matter now")
EOF
venv/bin/python look.py
