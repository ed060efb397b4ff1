#!/usr/bin/env bash
# Package: av 18.1.0; a transport stream read from a pipe, whose sound begins
# after the part that is looked at on opening.
# One would expect: packets of the tracks that were there, or of the new one too.
# Really: IndexError from demux() at the first packet of the new track, even if
# only the picture is asked for. Calling demux() again reads on.
# Why it matters: files that are whole cannot be read to their end.
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


def write(path, with_sound):
  with av.open(path, "w") as container:
    stream = container.add_stream("libx264", rate=25)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    if with_sound:
      sound = container.add_stream("mp2", rate=48_000, layout="mono")
    for k in range(50):
      image = np.full((48, 64, 3), 4 * k, np.uint8)
      frame = av.VideoFrame.from_ndarray(image, "rgb24")
      frame.pts, frame.time_base = k, Fraction(1, 25)
      container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
    for k in range(80 * with_sound):
      samples = np.zeros((1, 1152), np.int16)
      frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
      frame.sample_rate, frame.pts = 48_000, 1152 * k
      container.mux(sound.encode(frame))
  return pathlib.Path(path).read_bytes()


class Pipe:
  def __init__(self, data):
    self.data, self.place = data, 0

  def read(self, count):
    part = self.data[self.place : self.place + count]
    self.place += len(part)
    return part


data = write("a.ts", False) * 700 + write("b.ts", True)
with av.open(Pipe(data), format="mpegts") as container:
  packets, errors, done = 0, 0, False
  while not done:
    try:
      for _ in container.demux(video=0):
        packets += 1
      done = True
    except IndexError:
      errors += 1
print(f"seen: {packets} packets of pictures, {errors} times IndexError")
if not errors or packets < 701 * 50:
  sys.exit("changed: tracks that appear late")
EOF
venv/bin/python look.py
