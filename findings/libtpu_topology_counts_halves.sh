#!/usr/bin/env bash
# Package: jax 0.10.2 with libtpu 0.0.42.1, no TPU needed.
# One would expect: a topology named "2x2x1" describes four devices, as the same
# name does for v5p, whose chips have two TensorCores like those of TPU7x.
# Really: "v5p:2x2x1" has four devices, "tpu7x:2x2x1" has eight: JAX sees each
# half of a TPU7x chip. Two devices have the same coords and differ in
# core_on_chip alone. The named topology counts chips, `devices` does not.
# Why it matters: memory and arithmetic per device are half of what tables give
# per chip, and a mesh made for the chips in the name does not fit the devices.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq jax==0.10.2 jaxlib==0.10.2 libtpu==0.0.42.1
cat >look.py <<'EOF'
import os
import sys

# Otherwise libtpu looks for the machine that it is on.
os.environ |= {
  "TPU_SKIP_MDS_QUERY": "1",
  "TPU_ACCELERATOR_TYPE": "v5litepod-4",
  "TPU_WORKER_HOSTNAMES": "localhost",
  "JAX_PLATFORMS": "cpu",
}
from jax.experimental import topologies  # noqa: E402

found = {}
for name in ("v5p:2x2x1", "v6e:2x2", "tpu7x:2x2x1"):
  described = topologies.get_topology_desc(
    platform="tpu", topology_name=name
  ).devices
  chips = {tuple(device.coords) for device in described}
  cores = {device.core_on_chip for device in described}
  found[name] = len(described), len(chips), len(cores)
  print(
    f"seen: {name} has {len(described)} devices on {len(chips)} chips,"
    f" {len(cores)} of each"
  )
if found["v5p:2x2x1"] != (4, 4, 1) or found["v6e:2x2"] != (4, 4, 1):
  sys.exit("changed: v5p or v6e no longer has one device a chip")
if found["tpu7x:2x2x1"] != (8, 4, 2):
  sys.exit("changed: a TPU7x chip is no longer two devices")
EOF
venv/bin/python look.py 2>/dev/null
