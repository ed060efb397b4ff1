#!/usr/bin/env bash
# Package: av 18.1.0 (x264 as its wheel carries it).
# One would expect: crf=0, the end of the scale, means lossless for libx264, as
# is often said.
# Really: it does for 8 bits only. For yuv420p10le crf=0 is a fine, lossy
# setting; qp=0 is lossless for both.
# Why it matters: 10-bit masters and test clips stored "without loss" differ
# from what was given by some levels, and nothing says so.
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

WIDTH, HEIGHT = 64, 48
random = np.random.default_rng(0)


def planes(frame, kind):
  for plane in frame.planes:
    rows = np.frombuffer(plane, kind).reshape(plane.height, -1)
    yield rows[:, : plane.width].astype(int)


def worst(pixel_format, options):
  kind = np.dtype("<u2" if "10" in pixel_format else "u1")
  scale = 4 if kind.itemsize == 2 else 1
  file, given, worst = io.BytesIO(), [], 0
  with av.open(file, "w", format="matroska") as container:
    stream = container.add_stream("libx264", rate=30, options=options)
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixel_format
    for k in range(5):
      frame = av.VideoFrame(WIDTH, HEIGHT, pixel_format)
      for plane in frame.planes:
        count = plane.buffer_size // kind.itemsize
        noise = random.integers(16 * scale, 236 * scale, count)
        plane.update(noise.astype(kind).tobytes())
      given.append(list(planes(frame, kind)))
      frame.pts, frame.time_base = k, Fraction(1, 30)
      container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
  file.seek(0)
  with av.open(file) as container:
    for before, frame in zip(given, container.decode(video=0), strict=True):
      for one, other in zip(before, planes(frame, kind), strict=True):
        worst = max(worst, int(np.abs(one - other).max()))
  return worst


found = {
  (pixel_format, name): worst(pixel_format, {name: "0"})
  for pixel_format in ("yuv420p", "yuv420p10le")
  for name in ("crf", "qp")
}
for (pixel_format, name), error in found.items():
  print(f"seen: {pixel_format}, {name}=0: largest error {error} levels")
if [key for key, error in found.items() if error] != [("yuv420p10le", "crf")]:
  sys.exit("changed: other settings are lossless now")
EOF
venv/bin/python look.py
