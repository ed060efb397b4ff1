#!/usr/bin/env bash
# Format: AAC in MP4, Matroska and ADTS (.aac), as av 18.1.0 (FFmpeg 8.1) has
# it.
# One would expect: the same sound, encoded alike, is decoded alike whatever
# file it lay in, and has as many samples as were given.
# Really: a click at sample 24000 is back at its place from MP4 and Matroska,
# but 1024 samples (21 ms) late from ADTS, whose first frame still has time 0.
# And of 48000 samples none of them gives back 48000.
# Why it matters: sound that is set beside pictures by counting samples is half
# a frame or more out of step, by file type.
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

RATE, CLICK = 48000, 24000
samples = np.zeros((1, RATE), np.float32)
samples[0, CLICK] = 0.9


def back(name):
  file = io.BytesIO()
  with av.open(file, "w", format=name) as container:
    stream = container.add_stream("aac", rate=RATE, layout="mono")
    for k in range(0, RATE, 1000):
      piece = np.ascontiguousarray(samples[:, k : k + 1000])
      frame = av.AudioFrame.from_ndarray(piece, "fltp", "mono")
      frame.sample_rate, frame.pts = RATE, k
      frame.time_base = Fraction(1, RATE)
      container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
  file.seek(0)
  with av.open(file) as container:
    frames = list(container.decode(audio=0))
  sound = np.concatenate([frame.to_ndarray()[0] for frame in frames])
  return int(np.abs(sound).argmax()), sound.size, frames[0].pts


found = {name: back(name) for name in ("mp4", "matroska", "adts")}
for name, (place, count, start) in found.items():
  print(
    f"seen: {name}: click at {place:5}, {count} samples, first time {start}"
  )
late = {name: place - CLICK for name, (place, _, _) in found.items()}
if max(abs(late["mp4"]), abs(late["matroska"])) > 2:
  sys.exit("changed: MP4 or Matroska no longer leave the delay out")
if abs(late["adts"] - 1024) > 2 or found["adts"][2] != 0:
  sys.exit("changed: the delay in ADTS is another one now")
if any(count == RATE for _, count, _ in found.values()):
  sys.exit("changed: the end is cut to the samples that were given")
EOF
venv/bin/python look.py
