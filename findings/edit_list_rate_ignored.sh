#!/usr/bin/env bash
# Format: MP4 edit lists (ISO/IEC 14496-12), read by av 18.1.0 (FFmpeg 8.1).
# One would expect: a track whose edit list has a media rate of 1/2 is shown at
# half speed: 2 s of pictures last 4 s, as the edit's own duration says.
# Really: the rate is read over without a word; frame times, duration and
# frame rate are those of rate 1.
# Why it matters: a file may carry slow motion that no frame time shows, and
# other readers may play it otherwise.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq av==18.1.0 numpy==2.4.6
cat >look.py <<'EOF'
import io
import struct
import sys
from fractions import Fraction

import av
import numpy as np

noise = np.random.default_rng(0).integers(0, 256, (48, 128, 3), np.uint8)
file = io.BytesIO()
with av.open(file, "w", format="mp4") as container:
  stream = container.add_stream("libx264", rate=30, options={"bf": "0"})
  stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
  for k in range(60):
    image = np.ascontiguousarray(noise[:, k : k + 64])
    frame = av.VideoFrame.from_ndarray(image, "rgb24")
    frame.pts, frame.time_base = k, Fraction(1, 30)
    container.mux(stream.encode(frame))
  container.mux(stream.encode(None))
data = bytearray(file.getvalue())


def look(data):
  with av.open(io.BytesIO(bytes(data))) as container:
    stream = container.streams.video[0]
    times = [frame.pts * stream.time_base for frame in container.decode(stream)]
    return times, stream.duration * stream.time_base, stream.average_rate


before = look(data)
# Box type, version and flags, number of edits, then each edit: its duration
# and media time, and the rate in 16.16 bits.
entry = data.find(b"elst") + 12
duration, start, rate = struct.unpack_from(">IiI", data, entry)
assert (duration, start, rate) == (2000, 0, 0x10000)
struct.pack_into(">IiI", data, entry, 2 * duration, start, rate // 2)
after = look(data)
for name, (times, length, fps) in (("1", before), ("1/2", after)):
  print(
    f"seen: rate {name}: {len(times)} frames, the last at"
    f" {float(times[-1]):.3f} s of {float(length):.3f} s, {fps} fps"
  )
if after != before:
  sys.exit("changed: the media rate has an effect")
EOF
venv/bin/python look.py
