#!/usr/bin/env bash
# Package: av 18.1.0; packets copied into Matroska by add_stream_from_template.
# One would expect: 60 frames a second copied from a MOV are stated as 60 again.
# Really: where both count in 1/90000 s, the header's DefaultDuration
# is 11111 ns, one tick, and average_rate reads 30000. Setting the framerate of
# the stream's codec_context mends it.
# Why it matters: players and readers that trust the header play 4 s in 8 ms.
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


def write_copy(path, mended):
  with av.open("a.mov") as given, av.open(path, "w") as container:
    like = given.streams.video[0]
    stream = container.add_stream_from_template(like)
    stream.time_base = Fraction(1, 90_000)
    if mended:
      stream.codec_context.framerate = Fraction(60)
    for packet in given.demux(like):
      if packet.pts is not None:
        packet.stream = stream
        container.mux(packet)
  with av.open(path) as container:
    return container.streams.video[0].average_rate


with av.open("a.mov", "w") as container:
  stream = container.add_stream("libx264", rate=60, options={"bf": "0"})
  stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
  stream.codec_context.time_base = stream.time_base = Fraction(1, 90_000)
  for k in range(30):
    image = np.full((48, 64, 3), 8 * k, np.uint8)
    frame = av.VideoFrame.from_ndarray(image, "rgb24")
    frame.pts, frame.time_base = 1500 * k, Fraction(1, 90_000)
    container.mux(stream.encode(frame))
  container.mux(stream.encode(None))
found = [write_copy(f"{mended}.mkv", mended) for mended in (False, True)]
print(f"seen: average_rate of the copy {found[0]}, with framerate {found[1]}")
if found != [30000, 60]:
  sys.exit(f"changed: {found}")
EOF
venv/bin/python look.py
