#!/usr/bin/env bash
# Format: MP4 as av 18.1.0 (FFmpeg 8.1) writes it.
# One would expect: frame times survive exactly in MP4 where the track's unit of
# time is fine enough, such as 1/90000 s.
# Really: a track that starts late has its start in an edit list, in the unit of
# the whole movie, a millisecond by default: all its times move, by up to 1 ms.
# The option movie_timescale makes the unit finer.
# Why it matters: a cut that is meant to stay in step with its source, frame by
# frame, no longer matches its times; intervals hide it, as they are right.
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

UNIT = Fraction(1, 90000)
START = 3003  # The second frame at 29.97 fps.
noise = np.random.default_rng(0).integers(0, 256, (48, 128, 3), np.uint8)


def times(options):
  file = io.BytesIO()
  with av.open(file, "w", format="mp4", options=options) as container:
    stream = container.add_stream("libx264", rate=30, options={"bf": "0"})
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    stream.codec_context.time_base = UNIT
    for k in range(4):
      image = np.ascontiguousarray(noise[:, k : k + 64])
      frame = av.VideoFrame.from_ndarray(image, "rgb24")
      frame.pts, frame.time_base = START + 3003 * k, UNIT
      container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
  file.seek(0)
  with av.open(file) as container:
    stream = container.streams.video[0]
    return [f.pts * stream.time_base / UNIT for f in container.decode(stream)]


wanted = [START + 3003 * k for k in range(4)]
default, fine = times({}), times({"movie_timescale": "90000"})
print("seen: given", wanted)
print("seen: by default", [int(t) for t in default])
print("seen: movie_timescale=90000", [int(t) for t in fine])
if default[0] != 2970 or fine != wanted:
  sys.exit("changed: starts are rounded otherwise now")
EOF
venv/bin/python look.py
