#!/usr/bin/env bash
# Package: av 18.1.0, frames encoded without a pts into two streams of Matroska.
# One would expect: an error, or times from 0 on.
# Really: no error; all times of the file begin at 1.9e14 s, six million years.
# Why it matters: valid files may have any clock; who multiplies such times by
# a finer time base leaves 64 bits.
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

with av.open("a.mkv", "w") as container:
  stream = container.add_stream("libx264", rate=25)
  stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
  sound = container.add_stream("flac", rate=48_000, layout="mono")
  for k in range(6):
    image = np.full((48, 64, 3), 30 * k, np.uint8)
    container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
  samples = np.zeros((1, 4608), np.int16)
  frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
  frame.sample_rate = 48_000
  container.mux(sound.encode(frame))
  container.mux(sound.encode(None))
  container.mux(stream.encode(None))
with av.open("a.mkv") as container:
  start = float(container.streams.video[0].start_time / 1000)
print(f"seen: the pictures begin at {start:.3g} s")
if start < 1e14:
  sys.exit("changed: the times")
EOF
venv/bin/python look.py
