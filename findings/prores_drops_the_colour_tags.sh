#!/usr/bin/env bash
# Package: av 18.1.0 (FFmpeg 8.1), its encoder prores_ks.
# One would expect: colorspace, color_primaries and color_trc set on the codec
# context end up in the file, as they do for libx264.
# Really: ProRes files say "unspecified" for all three: that encoder looks at
# each frame's own tags, and frames made of arrays have none. Tags set on the
# frames are kept.
# Why it matters: the file looks right until another program guesses its colours
# otherwise; the setting that works for H.264 is taken without a word.
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

BT709, UNSPECIFIED = 1, 2


def tags(codec, pixel_format, on_frames):
  file = io.BytesIO()
  with av.open(file, "w", format="mov") as container:
    stream = container.add_stream(codec, rate=30)
    stream.width, stream.height, stream.pix_fmt = 64, 48, pixel_format
    holders = [stream.codec_context]
    for k in range(2):
      frame = av.VideoFrame.from_ndarray(
        np.full((48, 64, 3), 90, np.uint8), "rgb24"
      ).reformat(format=pixel_format)
      if on_frames:
        holders.append(frame)
      for holder in holders:
        holder.colorspace = BT709
        holder.color_primaries = BT709
        holder.color_trc = BT709
      holders.clear()
      frame.pts, frame.time_base = k, Fraction(1, 30)
      container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
  file.seek(0)
  with av.open(file) as container:
    frame = next(container.decode(video=0))
    return [
      int(tag)
      for tag in (frame.colorspace, frame.color_primaries, frame.color_trc)
    ]


h264 = tags("libx264", "yuv444p", on_frames=False)
prores = tags("prores_ks", "yuv444p10le", on_frames=False)
framed = tags("prores_ks", "yuv444p10le", on_frames=True)
print(f"seen: libx264, tags on the context: {h264} (1 is BT.709)")
print(f"seen: prores_ks, tags on the context: {prores} (2 is unspecified)")
print(f"seen: prores_ks, tags on the frames too: {framed}")
if h264 != 3 * [BT709] or framed != 3 * [BT709]:
  sys.exit("changed: tags that were kept are lost now")
if prores != 3 * [UNSPECIFIED]:
  sys.exit("changed: prores_ks takes the tags of the context")
EOF
venv/bin/python look.py
