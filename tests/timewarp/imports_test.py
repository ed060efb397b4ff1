"""What a data worker loads."""

import subprocess
import sys

_MODULES = (
  "speedflow.timewarp.augment",
  "speedflow.timewarp.audio",
  "speedflow.timewarp.labels",
  "speedflow.timewarp.mechanics",
  "speedflow.timewarp.resample",
  "speedflow.data.procedural",
)


def test_workers_load_neither_jax_nor_tensorflow():
  code = (
    f"import sys, {', '.join(_MODULES)};"
    "sys.exit(bool({'jax', 'tensorflow'} & set(sys.modules)))"
  )
  subprocess.run([sys.executable, "-c", code], check=True)
