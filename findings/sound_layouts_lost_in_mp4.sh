#!/usr/bin/env bash
# Package: av 18.1.0 (FFmpeg 8.1): channel layouts written and read again.
# One would expect: a container and codec that take a layout give it back.
# Really: AAC keeps mono to 5.1, quad, 2.1 and 7.1, but 5.1(side), 6.1 and
# others come back as so many channels without places; FLAC keeps all of them in
# Matroska, and in MP4 turns 2.1 into 3.0 and hexagonal into 5.1(side).
# Why it matters: sound is played by other loudspeakers, without a word.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq av==18.1.0 numpy==2.4.6
cat >look.py <<'EOF'
import sys

import av
import numpy as np


def again(layout, codec, path):
  with av.open(path, "w") as container:
    stream = container.add_stream(codec, rate=48_000, layout=layout)
    channels = stream.codec_context.layout.nb_channels
    for k in range(20):
      samples = np.zeros((1, 1024 * channels), np.int16)
      frame = av.AudioFrame.from_ndarray(samples, "s16", layout)
      frame.sample_rate, frame.pts = 48_000, 1024 * k
      container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
  with av.open(path) as container:
    return next(container.decode(audio=0)).layout.name


EXPECTED = {
  ("quad", "aac", "a.mp4"): "quad",
  ("5.1(side)", "aac", "a.mp4"): "6 channels",
  ("6.1", "aac", "a.mp4"): "7 channels",
  ("2.1", "flac", "a.mkv"): "2.1",
  ("2.1", "flac", "a.mp4"): "3.0",
  ("hexagonal", "flac", "a.mp4"): "5.1(side)",
}
found = {case: again(*case) for case in EXPECTED}
for (layout, codec, path), seen in found.items():
  print(f"seen: {layout}, {codec}, {path}: {seen}")
if found != EXPECTED:
  sys.exit("changed: the layouts")
EOF
venv/bin/python look.py
