#!/usr/bin/env bash
# Format: MPEG transport streams put end to end (as `cat` does), av 18.1.0.
# One would expect: all pictures of both, one after another.
# Really: time stamps begin again at the second part, in the decoded frames too;
# and a packet before the joint, whole and decodable, is marked as corrupt, for
# the count of transport packets begins again as well.
# Why it matters: sorting by time mixes the parts; leaving out what is marked
# loses good pictures up to the next key frame.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq av==18.1.0 numpy==2.4.6
cat >look.py <<'EOF'
import pathlib
import sys
from fractions import Fraction

import av
import numpy as np

noise = np.random.default_rng(0).integers(0, 256, (48, 256, 3), np.uint8)
with av.open("a.ts", "w") as container:
  stream = container.add_stream("libx264", rate=25)
  stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
  for k in range(100):
    image = np.ascontiguousarray(noise[:, k : k + 64])
    frame = av.VideoFrame.from_ndarray(image, "rgb24")
    frame.pts, frame.time_base = k, Fraction(1, 25)
    container.mux(stream.encode(frame))
  container.mux(stream.encode(None))
data = pathlib.Path("a.ts").read_bytes()
pathlib.Path("b.ts").write_bytes(data + data)
with av.open("b.ts") as container:
  packets = [p.is_corrupt for p in container.demux(video=0) if p.size]
with av.open("b.ts") as container:
  frames = list(container.decode(video=0))
steps = [k for k in range(1, len(frames)) if frames[k].pts < frames[k - 1].pts]
marked = [k for k, corrupt in enumerate(packets) if corrupt]
broken = sum(frame.is_corrupt for frame in frames)
print(f"seen: {len(frames)} frames, time goes back at {steps}")
print(f"seen: packets marked as corrupt: {marked}, frames: {broken}")
if len(frames) != 200 or steps != [100] or not marked:
  sys.exit("changed: the joint")
EOF
venv/bin/python look.py
