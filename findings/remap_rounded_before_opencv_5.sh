#!/usr/bin/env bash
# Package: opencv-python-headless 4.12.0.88 and 5.0.0.93.
# One would expect: `cv2.remap` of float32 pixels to float32 places, with
# INTER_LINEAR, is bilinear, as PyTorch's grid_sample is: on a ramp of one level
# a pixel, 0.01 pixel further is 0.01 levels more.
# Really: 4.12 rounds every place to 1/32 of a pixel first (0.01 becomes 0, 0.02
# becomes 0.03125), whatever the type of the pixels. 5.0 does not.
# Why it matters: pictures warped along optical flow change with the version of
# OpenCV, motion below 1/64 pixel is lost, and a gradient by small steps is zero.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >look.py <<'EOF'
import cv2
import numpy as np

ramp = np.tile(np.arange(64, dtype=np.float32), (64, 1))
y = np.ascontiguousarray(ramp.T)
found = []
for step in (0.01, 0.02, 0.3):
  x = ramp + np.float32(step)
  moved = cv2.remap(ramp, x, y, cv2.INTER_LINEAR)[30, 30] - 30
  found.append(round(float(moved), 5))
print(*found)
EOF
see() {
  "${PYTHON:-python3}" -m venv --clear venv
  venv/bin/pip install -qq opencv-python-headless=="$1"
  venv/bin/python look.py
}
old="$(see 4.12.0.88)"
new="$(see 5.0.0.93)"
echo "seen: $old with 4.12, $new with 5.0"
if [ "$old" != "0.0 0.03125 0.3125" ] || [ "$new" != "0.01 0.02 0.3" ]; then
  echo "changed: where cv2.remap looks" >&2
  exit 1
fi
