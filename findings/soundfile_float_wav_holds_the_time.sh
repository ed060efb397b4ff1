#!/usr/bin/env bash
# Package: soundfile 0.14.0 (libsndfile as its wheel carries it).
# One would expect: the same samples written twice as WAV give the same bytes.
# Really: they do as PCM_16, not as FLOAT: then a chunk PEAK holds the second in
# which the file was written.
# Why it matters: fingerprints of data sets and tests of reproducible output by
# bytes fail, but only if a second passes between the files, so that short tests
# of it are green.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq soundfile==0.14.0 numpy==2.4.6
cat >look.py <<'EOF'
import io
import sys
import time

import numpy as np
import soundfile

samples = (0.5 * np.sin(np.arange(4800) / 20)).astype(np.float32)


def written(container, kind):
  file = io.BytesIO()
  soundfile.write(file, samples, 48000, format=container, subtype=kind)
  return file.getvalue()


kinds = [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("WAV", "FLOAT")]
before = [written(*kind) for kind in kinds]
time.sleep(2.1)
after = [written(*kind) for kind in kinds]
found = {}
for kind, one, other in zip(kinds, before, after, strict=True):
  found[kind] = [k for k in range(len(one)) if one[k] != other[k]]
  print(f"seen: {' '.join(kind)}: bytes that differ: {found[kind] or 'none'}")
if found["WAV", "PCM_16"] or found["FLAC", "PCM_16"]:
  sys.exit("changed: other kinds of file differ, too")
chunk = after[-1].find(b"PEAK")
stamp = int.from_bytes(after[-1][chunk + 12 : chunk + 16], "little")
print(f"seen: PEAK holds a time {time.time() - stamp:.0f} s ago")
if not found["WAV", "FLOAT"] or abs(time.time() - stamp) > 10:
  sys.exit("changed: WAV of FLOAT holds no time any more")
EOF
venv/bin/python look.py
