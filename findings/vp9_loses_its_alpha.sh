#!/usr/bin/env bash
# Package: av 18.1.0, WebM of VP9 with transparency.
# One would expect: the frames are yuva420p, as they were encoded.
# Really: the decoder that is chosen, FFmpeg's own, gives yuv420p: opaque,
# without a word; the stream's tag ALPHA_MODE is 1. libvpx-vp9 gives the alpha.
# Why it matters: what was transparent becomes whatever colour lies below it.
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

with av.open("a.webm", "w") as container:
  stream = container.add_stream("libvpx-vp9", rate=25)
  stream.width, stream.height, stream.pix_fmt = 64, 48, "yuva420p"
  for k in range(6):
    image = np.full((48, 64, 4), 30 * k, np.uint8)
    frame = av.VideoFrame.from_ndarray(image, "rgba")
    frame.pts, frame.time_base = k, Fraction(1, 25)
    container.mux(stream.encode(frame))
  container.mux(stream.encode(None))
with av.open("a.webm") as container:
  stream = container.streams.video[0]
  tags = {key.lower(): value for key, value in stream.metadata.items()}
  own = next(container.decode(stream)).format.name
with av.open("a.webm") as container:
  decoder = av.CodecContext.create("libvpx-vp9", "r")
  packets = container.demux(video=0)
  other = next(f for p in packets for f in decoder.decode(p)).format.name
print(f"seen: alpha_mode {tags.get('alpha_mode')}, chosen decoder: {own},"
      f" libvpx-vp9: {other}")
if (own, other) != ("yuv420p", "yuva420p"):
  sys.exit("changed: the decoders")
EOF
venv/bin/python look.py
