#!/usr/bin/env bash
# Package: av 18.1.0 (FFmpeg 8.1).
# One would expect: RGB frames handed to an encoder whose colorspace is set to
# BT.709 are converted by BT.709, as the file then says of itself.
# Really: the conversion is by BT.601, the tag says BT.709, and PyAV's own
# reader obeys the tag: (200, 30, 60) comes back as (215, 47, 58).
# Frame.reformat with dst_colorspace keeps it.
# Why it matters: written and read by one library, losslessly, colours shift by
# up to 17 levels, enough to bias pixel losses, flow and detectors.
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

BT709 = 1
COLOUR = (200, 30, 60)
image = np.full((720, 1280, 3), COLOUR, np.uint8)


def back(convert):
  file = io.BytesIO()
  with av.open(file, "w", format="mp4") as container:
    stream = container.add_stream("libx264", rate=30, options={"qp": "0"})
    stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv444p"
    context = stream.codec_context
    context.colorspace = context.color_primaries = context.color_trc = BT709
    context.color_range = 1
    for k in range(2):
      frame = av.VideoFrame.from_ndarray(image, "rgb24")
      if convert:
        frame = frame.reformat(format="yuv444p", dst_colorspace=BT709)
      frame.pts, frame.time_base = k, Fraction(1, 30)
      container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
  file.seek(0)
  with av.open(file) as container:
    frame = next(container.decode(video=0))
    return frame.colorspace, frame.to_ndarray(format="rgb24")[9, 9].tolist()


tag, plain = back(convert=False)
_, explicit = back(convert=True)
print(f"seen: {COLOUR} comes back as {plain}; the file's tag is {int(tag)}")
print(f"seen: converted by hand it comes back as {explicit}")
if tag != BT709 or np.abs(np.subtract(plain, COLOUR)).max() < 10:
  sys.exit("changed: the tag or the conversion is another one now")
if np.abs(np.subtract(explicit, COLOUR)).max() > 2:
  sys.exit("changed: conversion by hand no longer keeps the colour")
EOF
venv/bin/python look.py
