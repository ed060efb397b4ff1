#!/usr/bin/env bash
# Package: pyMRAW 0.33.0, with the recording beam.cihx that its source carries.
# One would expect: "Record Rate(fps)" of a recording is the rate of the frames
# that it holds.
# Really: the camera's software may save every n-th frame, and says so beside
# the rate (`skipFrame`, in text headers "Save Step"). pyMRAW reads neither. Its
# own beam.cihx holds 4 of 50,000 frames a second, 2500 apart: 20 a second.
# Why it matters: every speed, frequency and time derived from it is wrong by
# that factor, and nothing looks amiss.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq pymraw==0.33.0
venv/bin/pip download -qq --no-deps --no-binary :all: pymraw==0.33.0
tar xzf pymraw-0.33.0.tar.gz
cat >look.py <<'EOF'
import re
import sys

import pyMRAW

header = "pymraw-0.33.0/data/beam.cihx"
images, info = pyMRAW.load_video(header)
with open(header, encoding="utf-8", errors="replace") as file:
  step = int(re.search("<skipFrame>([0-9]+)</skipFrame>", file.read())[1])
print(f"seen: {len(images)} frames, {info['Record Rate(fps)']:g} a second")
print(f"seen: the header says that every {step}th frame was saved")
told = [key for key in info if "skip" in key.lower() or "step" in key.lower()]
if step != 2500 or info["Record Rate(fps)"] != 50_000 or told:
  sys.exit(f"changed: the rate or the step is told otherwise now ({told})")
EOF
venv/bin/python look.py
