#!/usr/bin/env bash
# Package: grain 0.2.18.
# One would expect: the state of an iterator after mp_prefetch either goes on
# exactly with another number of worker processes, or is refused by set_state.
# Really: set_state takes the state of fewer workers; the iterator then skips
# elements and some steps later raises a bare IndexError. The state of more
# workers raises IndexError in set_state itself. Neither names the cause.
# Why it matters: a run that is resumed on a machine with more cores, or whose
# checkpoint is tried there for a step or two, trains on other data.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq grain==0.2.18 absl-py==2.5.1 jax==0.10.2 numpy==2.4.6
cat >look.py <<'EOF'
import sys

import grain
from absl import flags

flags.FLAGS.mark_as_parsed()


def iterator(workers):
  dataset = grain.MapDataset.range(24).to_iter_dataset()
  options = grain.MultiprocessingOptions(num_workers=workers)
  return iter(dataset.mp_prefetch(options))


def resumed(workers, others):
  first, second = iterator(workers), iterator(others)
  for _ in range(6):
    next(first)
  found = []
  try:
    second.set_state(first.get_state())
    found.append("set_state")
    for element in second:
      found.append(int(element))
  except Exception as error:
    found.append(type(error).__name__)
  first.close()
  second.close()
  return found


if __name__ == "__main__":
  same, more, fewer = resumed(2, 2), resumed(2, 3), resumed(2, 1)
  print("seen: 0 to 5 of 0 to 23 were read by 2 workers; then")
  print("seen: resumed with 2 workers:", *same)
  print("seen: resumed with 3 workers:", *more)
  print("seen: resumed with 1 worker:", *fewer)
  if same != ["set_state", *range(6, 24)]:
    sys.exit("changed: the same number of workers no longer resumes exactly")
  if more[0] != "set_state" or more[1] == 6 or more[-1] != "IndexError":
    sys.exit("changed: the state of fewer workers is treated otherwise now")
  if fewer != ["IndexError"]:
    sys.exit("changed: the state of more workers is treated otherwise now")
EOF
venv/bin/python look.py
