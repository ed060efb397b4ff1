#!/usr/bin/env bash
# Format: Matroska and WebM as av 18.1.0 (FFmpeg 8.1) writes them.
# One would expect: a stream whose time_base is set to 1/60000 s keeps it, as in
# MP4, or setting it raises an error.
# Really: the muxer puts 1/1000 s in its place and says nothing. At 59.94 frames
# per second the intervals read back are 16 and 17 ms by turns.
# Why it matters: what is derived from intervals, such as speed or whether the
# frame rate varies, sees a jitter of 6 % that the camera never had.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq av==18.1.0 numpy==2.4.6
cat >look.py <<'EOF'
import io
import sys
from fractions import Fraction

import av
import numpy as np

UNIT = Fraction(1, 60000)
noise = np.random.default_rng(0).integers(0, 256, (48, 128, 3), np.uint8)


def read(name):
  file = io.BytesIO()
  with av.open(file, "w", format=name) as container:
    stream = container.add_stream("libx264", rate=Fraction(60000, 1001))
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    stream.time_base = UNIT
    for k in range(60):
      image = np.ascontiguousarray(noise[:, k : k + 64])
      frame = av.VideoFrame.from_ndarray(image, "rgb24")
      frame.pts, frame.time_base = 1001 * k, UNIT
      container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
  file.seek(0)
  with av.open(file) as container:
    stream = container.streams.video[0]
    stamps = [frame.pts for frame in container.decode(stream)]
    steps = {float(step * stream.time_base) for step in np.diff(stamps)}
    return stream.time_base, sorted(round(1000 * step, 3) for step in steps)


found = {name: read(name) for name in ("mp4", "matroska")}
for name, (unit, steps) in found.items():
  print(f"seen: {name}: unit {unit} s, intervals {steps} ms")
if found["mp4"] != (UNIT, [16.683]):
  sys.exit("changed: MP4 no longer keeps the times")
if found["matroska"] != (Fraction(1, 1000), [16.0, 17.0]):
  sys.exit("changed: Matroska is written in another unit now")
EOF
venv/bin/python look.py
