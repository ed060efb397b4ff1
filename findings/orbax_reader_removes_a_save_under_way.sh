#!/usr/bin/env bash
# Package: orbax-checkpoint 0.12.8.
# One would expect: a CheckpointManager with cleanup_tmp_directories=True clears
# away what earlier, broken saves left; one that is only asked for latest_step()
# harms nothing.
# Really: making it removes every unfinished folder, in the background, also
# that of a save which another process has under way. read_only=True leaves it.
# Why it matters: an evaluation beside a training that shares its options
# destroys the checkpoint being written.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq orbax-checkpoint==0.12.8 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cat >look.py <<'EOF'
import pathlib
import sys
import time

import numpy as np
import orbax.checkpoint as ocp

folder = pathlib.Path("checkpoints").absolute()
with ocp.CheckpointManager(folder) as manager:
  manager.save(1, args=ocp.args.StandardSave({"a": np.ones(3)}))
  manager.wait_until_finished()
# As a save of step 2 looks before it is done.
unfinished = folder / "2.orbax-checkpoint-tmp"


def survives(**options):
  unfinished.mkdir(exist_ok=True)
  (unfinished / "part").write_bytes(b"0")
  options = ocp.CheckpointManagerOptions(**options)
  with ocp.CheckpointManager(folder, options=options) as manager:
    assert manager.latest_step() == 1
  # It is removed in the background.
  end = time.monotonic() + 5
  while unfinished.exists() and time.monotonic() < end:
    time.sleep(0.1)
  return unfinished.exists()


plain = survives()
cleaning = survives(cleanup_tmp_directories=True)
reading = survives(cleanup_tmp_directories=True, read_only=True)
print(f"seen: by default the unfinished folder stays: {plain}")
print(f"seen: with cleanup_tmp_directories=True it stays: {cleaning}")
print(f"seen: with read_only=True besides it stays: {reading}")
if (plain, cleaning, reading) != (True, False, True):
  sys.exit("changed: other options remove unfinished folders now")
EOF
venv/bin/python look.py
