#!/usr/bin/env bash
# Package: tensorflow-datasets 4.9.10.
# One would expect: what pip installs with it is enough, as pip check says.
# Really: it declares importlib_resources for Python below 3.9 only, and uses it
# on all. The import is lazy: all is well until a builder class that lives in a
# package is asked for its code_path.
# Why it matters: a builder passes its tests where another package brings that
# one along, and fails in a fresh environment.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq tensorflow-datasets==4.9.10 numpy==2.4.6
cat >look.py <<'EOF'
import importlib.metadata
import pathlib
import sys

import tensorflow_datasets as tfds

folder = pathlib.Path("films")
folder.mkdir()
(folder / "__init__.py").touch()
(folder / "clips.py").write_text("""
import tensorflow_datasets as tfds

class Clips(tfds.core.GeneratorBasedBuilder):
  VERSION = tfds.core.Version("1.0.0")
  def _info(self): ...
  def _split_generators(self, dl_manager): ...
  def _generate_examples(self): ...
""")
from films.clips import Clips

declared = [
  need
  for need in importlib.metadata.requires("tensorflow-datasets")
  if need.startswith("importlib")
]
print("seen: import tensorflow_datasets", tfds.__version__, "works")
print("seen: it declares", *declared)
try:
  path = Clips.code_path
except ImportError as error:
  print("seen: code_path raises:", str(error).strip().splitlines()[-1])
  if "importlib_resources" not in str(error):
    sys.exit("changed: another module is missing now")
else:
  sys.exit(f"changed: code_path works and is {path}")
EOF
venv/bin/python look.py
