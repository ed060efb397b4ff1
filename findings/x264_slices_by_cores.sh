#!/usr/bin/env bash
# Package: av 18.1.0 (x264 as its wheel carries it).
# One would expect: the same frames and the same quality setting give the same
# file on every machine, or at least one of about the same size.
# Really: PyAV opens encoders with thread_type SLICE and as many threads as the
# machine has cores; x264 then cuts every picture into slices, and the file
# grows by more than a tenth from 1 thread to 8. thread_type FRAME does not.
# Why it matters: the traces of coding in training data, and the bytes of every
# output, depend on the machine's number of cores.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq av==18.1.0 numpy==2.4.6 opencv-python-headless==5.0.0.93
cat >look.py <<'EOF'
import io
import sys
from fractions import Fraction

import av
import cv2
import numpy as np

noise = np.random.default_rng(0).integers(0, 256, (360, 800, 3), np.uint8)
noise = cv2.GaussianBlur(noise, (0, 0), 2)


def encoded(threads, kind):
  file = io.BytesIO()
  with av.open(file, "w", format="h264") as container:
    stream = container.add_stream("libx264", rate=30)
    stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
    stream.codec_context.thread_count = threads
    if kind:
      stream.codec_context.thread_type = kind
    for k in range(40):
      image = np.ascontiguousarray(noise[:, 4 * k : 4 * k + 640])
      frame = av.VideoFrame.from_ndarray(image, "rgb24")
      frame.pts, frame.time_base = k, Fraction(1, 30)
      container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
  return file.getvalue()


default = {n: encoded(n, None) for n in (1, 2, 8)}
framed = {n: encoded(n, "FRAME") for n in (1, 2, 8)}
for name, files in (("by default", default), ("thread_type FRAME", framed)):
  sizes = ", ".join(f"{n} threads {len(file)}" for n, file in files.items())
  print(f"seen: bytes {name}: {sizes}")
growth = len(default[8]) / len(default[1]) - 1
print(f"seen: the default grows by {growth:.0%}")
if not 0.1 < growth < 0.3 or len(framed[8]) > 1.01 * len(framed[1]):
  sys.exit("changed: threads no longer cost so much by default")
EOF
venv/bin/python look.py
