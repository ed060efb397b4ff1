#!/usr/bin/env bash
# Package: scenedetect-headless 0.7.2 with av 18.1.0 and OpenCV 5.0.0.93.
# One would expect: the frame numbers of a detected cut count frames, and are
# the same whichever backend reads the file.
# Really: for video of variable frame rate they are times multiplied by a frame
# rate, and the backends take different rates: the cuts of this clip, at frames
# 40 and 80, are at 40 and 120 by PyAV, at 24 and 72 by OpenCV. Seconds agree.
# Why it matters: frames that are taken from such a file by these numbers lie in
# another shot; phones and screen recorders make such files.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq scenedetect-headless==0.7.2 av==18.1.0 numpy==2.4.6 opencv-python-headless==5.0.0.93
cat >look.py <<'EOF'
import sys
from fractions import Fraction

import av
import cv2
import numpy as np
import scenedetect

UNIT = Fraction(1, 90000)
random = np.random.default_rng(0)


def shot(tint):
  noise = random.integers(0, 256, (120, 240, 3), np.uint8)
  noise = cv2.normalize(
    cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX
  )
  noise = noise // 3 + np.uint8([[[0, 60 * tint, 80 * tint]]])
  for k in range(40):
    yield np.ascontiguousarray(noise[:, 2 * k : 2 * k + 160])


# The first shot at 30 frames per second, the others by turns at 10 and 30.
steps = [3000] * 40 + [9000, 3000] * 40
times = np.cumsum([0, *steps[:-1]])
with av.open("clip.mp4", "w") as container:
  stream = container.add_stream("libx264", rate=30, options={"bf": "0"})
  stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
  stream.codec_context.time_base = UNIT
  images = [image for tint in (1, 2, 0) for image in shot(tint)]
  for image, time in zip(images, times, strict=True):
    frame = av.VideoFrame.from_ndarray(image, "rgb24")
    frame.pts, frame.time_base = int(time), UNIT
    container.mux(stream.encode(frame))
  container.mux(stream.encode(None))

found = {}
for backend in ("pyav", "opencv"):
  manager = scenedetect.SceneManager()
  manager.add_detector(scenedetect.ContentDetector(min_scene_len=5))
  manager.detect_scenes(scenedetect.open_video("clip.mp4", backend=backend))
  starts = [start for start, _ in manager.get_scene_list()[1:]]
  numbers = [start.frame_num for start in starts]
  seconds = [round(start.seconds, 3) for start in starts]
  found[backend] = numbers, seconds
  print(f"seen: {backend}: cuts at frames {numbers}, at {seconds} s")
truth = [round(int(times[k]) / 90000, 3) for k in (40, 80)]
print(f"seen: the truth: cuts at frames [40, 80], at {truth} s")
if any(seconds != truth for _, seconds in found.values()):
  sys.exit("changed: the seconds of the cuts are others now")
if any(numbers == [40, 80] for numbers, _ in found.values()):
  sys.exit("changed: the numbers count frames now")
if found["pyav"][0] == found["opencv"][0]:
  sys.exit("changed: both backends give the same numbers now")
EOF
venv/bin/python look.py
