#!/usr/bin/env bash
# Package: opencv-python-headless 5.0.0.93, numpy 2.4.6.
# One would expect: a template without contrast has no correlation with
# anything, so `TM_CCOEFF_NORMED` gives 0 or nan, as it gives 0 for a picture
# without contrast.
# Really: it gives 1 at every place of any picture: a perfect match.
# Why it matters: black frames, skies and walls are then found everywhere, by
# whoever looks for a part of one frame in another (cuts, pans, flashes).
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq opencv-python-headless==5.0.0.93 numpy==2.4.6
cat >look.py <<'EOF'
import sys

import cv2
import numpy as np

drawn = np.random.default_rng(0).integers(0, 256, (24, 24)).astype(np.float32)
flat = np.full((8, 8), 9, np.float32)
found = {
  "flat template": cv2.matchTemplate(drawn, flat, cv2.TM_CCOEFF_NORMED),
  "flat picture": cv2.matchTemplate(
    np.full((24, 24), 9, np.float32), drawn[:8, :8], cv2.TM_CCOEFF_NORMED
  ),
}
seen = {name: (float(x.min()), float(x.max())) for name, x in found.items()}
print("seen:", seen)
if seen != {"flat template": (1.0, 1.0), "flat picture": (0.0, 0.0)}:
  sys.exit("changed: what a match without contrast is worth")
EOF
venv/bin/python look.py
