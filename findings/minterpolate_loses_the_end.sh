#!/usr/bin/env bash
# Package: av 18.1.0 (FFmpeg 8.1), its filter minterpolate.
# One would expect: 40 frames at 30 per second made into 120 per second give 157
# or more, the last of them the last that was given.
# Really: 153 come, in every mode: nothing is made after the last frame but one,
# and the last itself is never shown, even when the filter is told that no more
# frames follow.
# Why it matters: clips that are slowed down piece by piece lose an interval of
# motion at every joint, and a count of frames against the truth does not fit.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq av==18.1.0 numpy==2.4.6 opencv-python-headless==5.0.0.93
cat >look.py <<'EOF'
import sys
from fractions import Fraction

import av
import cv2
import numpy as np

noise = np.random.default_rng(0).integers(0, 256, (120, 320, 3), np.uint8)
noise = cv2.GaussianBlur(noise, (0, 0), 1.5)


def interpolated(mode):
  graph = av.filter.Graph()
  graph.link_nodes(
    graph.add_buffer(
      width=160, height=120, format="yuv420p", time_base=Fraction(1, 30)
    ),
    graph.add("minterpolate", f"fps=120:mi_mode={mode}"),
    graph.add("buffersink"),
  ).configure()
  given, made = [], []

  def pull():
    while True:
      try:
        frame = graph.vpull()
      except (BlockingIOError, EOFError):
        return
      made.append((frame.pts * frame.time_base, frame.to_ndarray()))

  for k in range(40):
    image = np.ascontiguousarray(noise[:, 4 * k : 4 * k + 160])
    frame = av.VideoFrame.from_ndarray(image, "rgb24")
    frame = frame.reformat(format="yuv420p")
    given.append(frame.to_ndarray())
    frame.pts, frame.time_base = k, Fraction(1, 30)
    graph.vpush(frame)
    pull()
  graph.vpush(None)
  pull()
  kept = sum(any(np.array_equal(x, y) for _, y in made) for x in given)
  return len(made), made[-1][0] * 30, kept


for mode in ("mci", "blend", "dup"):
  count, last, kept = interpolated(mode)
  print(
    f"seen: {mode}: {count} frames, the last at the time of frame {last} of"
    f" 0 to 39; {kept} of 40 given frames are in them"
  )
  if (count, last, kept) != (153, 38, 39):
    sys.exit("changed: minterpolate ends elsewhere now")
EOF
venv/bin/python look.py
