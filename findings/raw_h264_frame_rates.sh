#!/usr/bin/env bash
# Package: av 18.1.0 (FFmpeg 8.1).
# One would expect: the three frame rates of a stream agree for a raw .h264
# file of 30 frames per second, whose headers state that rate.
# Really: average_rate is 25 whatever the file is, base_rate is twice the true
# rate (it counts fields), and only guessed_rate is right. No frame has a time.
# Why it matters: average_rate is what most code takes for the frame rate; all
# speeds measured in such a file are then off by 30 / 25.
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

noise = np.random.default_rng(0).integers(0, 256, (48, 128, 3), np.uint8)


def rates(fps):
  file = io.BytesIO()
  with av.open(file, "w", format="h264") as container:
    stream = container.add_stream("libx264", rate=fps)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    for k in range(30):
      image = np.ascontiguousarray(noise[:, k : k + 64])
      frame = av.VideoFrame.from_ndarray(image, "rgb24")
      frame.pts, frame.time_base = k, Fraction(1, fps)
      container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
  file.seek(0)
  with av.open(file, format="h264") as container:
    stream = container.streams.video[0]
    timed = sum(f.pts is not None for f in container.decode(stream))
    return (
      int(stream.average_rate), int(stream.base_rate),
      int(stream.guessed_rate), timed,
    )


for fps in (24, 30, 60):
  average, base, guessed, timed = rates(fps)
  print(
    f"seen: {fps} fps: average_rate {average}, base_rate {base},"
    f" guessed_rate {guessed}, frames with a time {timed}"
  )
  if (average, base, guessed, timed) != (25, 2 * fps, fps, 0):
    sys.exit("changed: the rates of a raw stream are others now")
EOF
venv/bin/python look.py
