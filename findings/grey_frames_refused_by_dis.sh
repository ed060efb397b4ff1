#!/usr/bin/env bash
# Package: av 18.1.0 with opencv-python-headless 5.0.0.93.
# One would expect: the array of a grey frame is as good as any other for
# OpenCV, as it is for its other flow, Farneback's.
# Really: to_ndarray gives a view of the frame with its padding. DIS flow raises
# an error where rows are padded, as at 330 pixels, and works where they are
# not, as at 320.
# Why it matters: code that was tried on 320 and 640 pixels fails at the first
# clip of another width; np.ascontiguousarray mends it.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq av==18.1.0 numpy==2.4.6 opencv-python-headless==5.0.0.93
cat >look.py <<'EOF'
import sys

import av
import cv2
import numpy as np

noise = np.random.default_rng(0).integers(0, 256, (64, 400), np.uint8)
dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)


def tried(width):
  image = np.ascontiguousarray(noise[:, :width])
  grey = av.VideoFrame.from_ndarray(image, "gray").to_ndarray()
  cv2.calcOpticalFlowFarneback(grey, grey, None, 0.5, 3, 15, 3, 5, 1.2, 0)
  try:
    dis.calc(grey, grey, None)
  except cv2.error as error:
    return grey.flags.c_contiguous, f"DIS raises: {error.err}"
  dis.calc(np.ascontiguousarray(grey), np.ascontiguousarray(grey), None)
  return grey.flags.c_contiguous, "DIS works"


narrow, wide = tried(330), tried(320)
print(f"seen: width 320: contiguous {wide[0]}, {wide[1]}")
print(f"seen: width 330: contiguous {narrow[0]}, {narrow[1]}")
if wide != (True, "DIS works") or "isContinuous" not in narrow[1]:
  sys.exit("changed: DIS takes such arrays, or PyAV copies them")
EOF
venv/bin/python look.py
