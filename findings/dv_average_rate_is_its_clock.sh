#!/usr/bin/env bash
# Package: av 18.1.0 (FFmpeg 8.1), a raw .dv stream (PAL, 25 frames a second).
# One would expect: average_rate 25.
# Really: average_rate is 60000, the ticks of the clock; guessed_rate is 25, and
# the time stamps are right.
# Why it matters: who trusts the average takes 2 s of video for 0.8 ms.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq av==18.1.0 numpy==2.4.6
cat >look.py <<'EOF'
import sys
from fractions import Fraction

import av
import numpy as np

with av.open("a.dv", "w") as container:
  stream = container.add_stream("dvvideo", rate=25)
  stream.width, stream.height, stream.pix_fmt = 720, 576, "yuv420p"
  for k in range(50):
    image = np.full((576, 720, 3), 4 * k, np.uint8)
    frame = av.VideoFrame.from_ndarray(image, "rgb24")
    frame.pts, frame.time_base = k, Fraction(1, 25)
    container.mux(stream.encode(frame))
  container.mux(stream.encode(None))
with av.open("a.dv") as container:
  stream = container.streams.video[0]
  rates = stream.average_rate, stream.guessed_rate
  times = [p.pts * stream.time_base for p in container.demux(stream) if p.size]
print(f"seen: average_rate {rates[0]}, guessed_rate {rates[1]}")
print(f"seen: {len(times)} frames, the last at {float(times[-1])} s")
assert times[-1] == Fraction(49, 25)
if rates != (60000, 25):
  sys.exit(f"changed: {rates}")
EOF
venv/bin/python look.py
