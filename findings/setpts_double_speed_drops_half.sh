#!/usr/bin/env bash
# Tool: ffmpeg as imageio-ffmpeg 0.8.1 carries it, its filter setpts.
# One would expect: setpts=PTS/2 plays all 60 frames in half the time, at 60 per
# second, above all with -fps_mode vfr, which asks for a variable rate.
# Really: 32 frames of 60 are left, at 30 per second: times are rounded to the
# old frame interval, and frames that share one are dropped. A finer
# -enc_time_base keeps all.
# Why it matters: clips sped up like this, a common recipe, have lost every
# other frame: motion per frame is doubled, and no speed change is left in time
# stamps.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq imageio-ffmpeg==0.8.1 av==18.1.0 numpy==2.4.6
cat >look.py <<'EOF'
import subprocess
import sys

import av
import imageio_ffmpeg


def ffmpeg(*arguments):
  program = imageio_ffmpeg.get_ffmpeg_exe()
  subprocess.run([program, "-v", "error", *arguments], check=True)


def look(path):
  with av.open(path) as container:
    stream = container.streams.video[0]
    times = [frame.pts * stream.time_base for frame in container.decode(stream)]
    return len(times), int(stream.average_rate), float(times[-1])


ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x120:r=30:d=2", "in.mkv")
for name, options in (
  ("default", []),
  ("vfr", ["-fps_mode", "vfr"]),
  ("fine", ["-fps_mode", "vfr", "-enc_time_base:v", "1/60"]),
):
  twice = ["-i", "in.mkv", "-vf", "setpts=PTS/2"]
  ffmpeg(*twice, *options, f"{name}.mp4")
found = {
  name: look(path)
  for name, path in (
    ("as given", "in.mkv"),
    ("setpts=PTS/2", "default.mp4"),
    ("setpts=PTS/2 -fps_mode vfr", "vfr.mp4"),
    ("setpts=PTS/2 -fps_mode vfr -enc_time_base:v 1/60", "fine.mp4"),
  )
}
for name, (count, rate, end) in found.items():
  print(f"seen: {name}: {count} frames, {rate} fps, the last at {end:.2f} s")
counts = [count for count, _, _ in found.values()]
if counts[0] != 60 or counts[3] < 59 or max(counts[1:3]) > 34:
  sys.exit("changed: setpts keeps another number of frames now")
EOF
venv/bin/python look.py
