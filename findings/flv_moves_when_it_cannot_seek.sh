#!/usr/bin/env bash
# Format: FLV, av 18.1.0.
# One would expect: a seek that raises an error leaves the file where it was.
# Really: seeking to before the beginning raises, and the next packet is one of
# the middle of the file.
# Why it matters: who passes over the error reads on from anywhere.
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

packets = []
with av.open("a.flv", "w") as container:
  stream = container.add_stream("libx264", rate=30, options={"g": "30"})
  stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
  sound = container.add_stream("aac", rate=48_000, layout="mono")
  for k in range(90):
    image = np.full((48, 64, 3), 2 * k, np.uint8)
    frame = av.VideoFrame.from_ndarray(image, "rgb24")
    frame.pts, frame.time_base = k, Fraction(1, 30)
    packets += stream.encode(frame)
  packets += stream.encode(None)
  for k in range(140):
    samples = np.zeros((1, 1024), np.float32)
    frame = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
    frame.sample_rate, frame.pts = 48_000, 1024 * k
    packets += sound.encode(frame)
  packets += sound.encode(None)
  for packet in sorted(packets, key=lambda p: (p.dts or 0) * p.time_base):
    container.mux(packet)


def first_ms(before):
  with av.open("a.flv") as container:
    sound = container.streams.audio[0]
    error = None
    if before is not None:
      try:
        container.seek(before, stream=sound)
      except av.FFmpegError as raised:
        error = type(raised).__name__
    return error, next(p.pts for p in container.demux(sound) if p.size)


plain, moved = first_ms(None), first_ms(-1000)
print(f"seen: without a seek: {plain}, with one to -1 s: {moved}")
if moved[0] is None or moved[1] <= plain[1] + 500:
  sys.exit("changed: the seek")
EOF
venv/bin/python look.py
