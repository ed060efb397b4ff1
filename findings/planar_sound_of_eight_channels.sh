#!/usr/bin/env bash
# Package: av 18.1.0, av.AudioFrame.from_ndarray.
# One would expect: planar sound of 7.1 works as that of 5.1 does.
# Really: an IndexError for eight planes; packed samples work.
# Why it matters: 7.1 sound cannot be encoded from planes; give it packed.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq av==18.1.0 numpy==2.4.6
cat >look.py <<'EOF'
import sys

import av
import numpy as np


def make(layout, channels, packed):
  shape = (1, 1024 * channels) if packed else (channels, 1024)
  try:
    av.AudioFrame.from_ndarray(
      np.zeros(shape, np.float32), "flt" if packed else "fltp", layout
    )
  except IndexError as error:
    return f"IndexError: {error}"
  return "made"


found = [
  make("5.1", 6, False),
  make("7.1", 8, False),
  make("7.1", 8, True),
]
for name, seen in zip(("5.1 planar", "7.1 planar", "7.1 packed"), found):
  print(f"seen: {name}: {seen}")
if found[0] != "made" or "IndexError" not in found[1] or found[2] != "made":
  sys.exit("changed: eight planes")
EOF
venv/bin/python look.py
