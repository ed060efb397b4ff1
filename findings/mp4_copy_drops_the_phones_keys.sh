#!/usr/bin/env bash
# Format: MP4 and QuickTime as av 18.1.0 (FFmpeg 8.1) writes them.
# One would expect: tags that are put into a container's metadata are written,
# or refused: `com.android.capture.fps`, by which a phone says how fast it
# filmed, is read from a file and given to its copy.
# Really: MP4 and QuickTime drop it without a word; so does a plain copy. With
# movflags=use_metadata_tags MP4 keeps it, as text instead of a 32-bit float;
# Matroska keeps it, in capitals.
# Why it matters: slow motion of 240 frames a second that was copied once no
# longer says so, and its absence proves nothing; and software that wants a
# float of four bytes (Android's own) does not find it in a copy that kept it.
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

KEY = "com.android.capture.fps"


def write(form, options, tags):
  file = io.BytesIO()
  with av.open(file, "w", format=form, options=options) as container:
    container.metadata.update(tags)
    stream = container.add_stream("mpeg4", rate=30)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    image = np.zeros((48, 64, 3), np.uint8)
    for k in range(3):
      frame = av.VideoFrame.from_ndarray(image, "rgb24")
      frame.pts, frame.time_base = k, Fraction(1, 30)
      container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
  return file.getvalue()


def read(data):
  with av.open(io.BytesIO(data)) as container:
    tags = {key.lower(): value for key, value in container.metadata.items()}
  return tags.get(KEY)


kept = {"movflags": "use_metadata_tags"}
found = {}
for form, options in (("mp4", {}), ("mov", {}), ("mp4", kept), ("matroska", {})):
  data = write(form, options, {KEY: "240.000000"})
  name = f"{form} {options.get('movflags', '')}".strip()
  found[name] = read(data)
  print(f"seen: {name}: {found[name]}")
  if options:
    # Box type `data`, the type of the value (1: text), a locale, the value.
    at = data.index(b"240.000000")
    kind = int.from_bytes(data[at - 8 : at - 4])
    print(f"seen: {name}: a value of type {kind}")
    if kind != 1:
      sys.exit("changed: the value is no longer text")
if found != {
  "mp4": None,
  "mov": None,
  "mp4 use_metadata_tags": "240.000000",
  "matroska": "240.000000",
}:
  sys.exit("changed: other formats keep the tag now")
EOF
venv/bin/python look.py
