#!/usr/bin/env bash
# Package: av 18.1.0 (FFmpeg 8.1), its filter yadif.
# One would expect: yadif with mode=send_frame, one frame out for each frame in,
# leaves time stamps alone.
# Really: it halves the unit of time, for fields it might have sent, and doubles
# every pts. The time is right only by the frame's own time_base, no longer by
# the stream's.
# Why it matters: code that multiplies pts by stream.time_base, as most does,
# has deinterlaced clips at half their speed, and those only.
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

UNIT = Fraction(1, 30)
graph = av.filter.Graph()
graph.link_nodes(
  graph.add_buffer(width=64, height=48, format="yuv420p", time_base=UNIT),
  graph.add("yadif", "mode=send_frame"),
  graph.add("buffersink"),
).configure()
found = []


def pull():
  while True:
    try:
      frame = graph.vpull()
    except (BlockingIOError, EOFError):
      return
    found.append((frame.pts, frame.time_base))


for k in range(5):
  image = np.full((72, 64), 20 * k, np.uint8)
  frame = av.VideoFrame.from_ndarray(image, "yuv420p")
  frame.pts, frame.time_base = k, UNIT
  graph.vpush(frame)
  pull()
graph.vpush(None)
pull()
print("seen: pts in: 0 1 2 3 4, in units of 1/30 s")
print("seen: pts out:", *(pts for pts, _ in found), f"of {found[0][1]} s")
if found != [(2 * k, UNIT / 2) for k in range(5)]:
  sys.exit("changed: yadif has another unit of time now")
EOF
venv/bin/python look.py
