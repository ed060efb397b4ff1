#!/usr/bin/env bash
# Package: grain 0.2.18 (with absl-py 2.5.1, and jax 0.10.2 installed).
# One would expect: a library for reading data works in any program, also in
# notebooks, in pytest and below a main function that does not use absl.
# Really: mp_prefetch reads absl flags that Grain defines, which raises
# UnparsedFlagAccessError unless somebody parsed the command line by absl; the
# same data set without worker processes works.
# Why it matters: num_workers=0 while trying things out, then a trace on flags
# when workers are switched on. flags.FLAGS.mark_as_parsed() mends it.
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


def read():
  dataset = grain.MapDataset.range(4).to_iter_dataset()
  options = grain.MultiprocessingOptions(num_workers=1)
  return [int(element) for element in dataset.mp_prefetch(options)]


if __name__ == "__main__":
  plain = list(grain.MapDataset.range(4).to_iter_dataset())
  print("seen: without workers:", *plain)
  try:
    read()
    sys.exit("changed: workers no longer read flags that nobody parsed")
  except flags.UnparsedFlagAccessError as error:
    print("seen: with a worker:", str(error).splitlines()[0])
  flags.FLAGS.mark_as_parsed()
  print("seen: after mark_as_parsed():", *read())
EOF
venv/bin/python look.py
