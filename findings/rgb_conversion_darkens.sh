#!/usr/bin/env bash
# Package: av 18.1.0 (swscale of FFmpeg 8.1).
# One would expect: VideoFrame.to_ndarray(format="rgb24") rounds each colour to
# the nearest level, so that errors cancel in the mean.
# Really: the default conversion of 8-bit video rounds down: of 220 greys, 108
# come out more than half a level too dark, and the mean is 0.5 too low. With
# the flags for accurate rounding and full chroma the error vanishes.
# Why it matters: frames that are read and stored again get darker with each of
# the first few rounds, and means of frames are biased in one direction.
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
from av.video.reformatter import Interpolation, VideoReformatter

EXACT = (
  Interpolation.BICUBIC
  | Interpolation.ACCURATE_RND
  | Interpolation.FULL_CHR_H_INT
  | Interpolation.FULL_CHR_H_INP
)


def errors(read):
  found = []
  for luma in range(16, 236):
    frame = av.VideoFrame(64, 48, "yuv420p")
    for plane, value in zip(frame.planes, (luma, 128, 128)):
      plane.update(bytes([value]) * plane.buffer_size)
    found.append(float(read(frame)[20, 20, 1]) - (luma - 16) * 255 / 219)
  return np.array(found)


default = errors(lambda frame: frame.to_ndarray(format="rgb24"))
exact = errors(
  lambda frame: VideoReformatter()
  .reformat(frame, format="rgb24", interpolation=EXACT)
  .to_ndarray()
)
for name, error in (("default", default), ("exact flags", exact)):
  print(
    f"seen: {name}: mean error {error.mean():+.2f} levels,"
    f" {np.sum(error < -0.5)} of {error.size} greys darker than rounding"
  )
if not -0.6 < default.mean() < -0.4 or abs(exact.mean()) > 0.05:
  sys.exit("changed: the default conversion rounds otherwise now")
EOF
venv/bin/python look.py
