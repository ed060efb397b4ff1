#!/usr/bin/env bash
# Package: jax 0.10.2 on the CPU.
# One would expect: an argument in donate_argnums is given up: its buffer takes
# the result and the array is deleted; where that fails, JAX warns.
# Really: while an np.asarray view of it is alive, the result gets a buffer of
# its own and the array stays usable, without a warning. With no view, or with
# np.array, which copies, donation works.
# Why it matters: a view kept for logging, such as one of the weights, costs a
# second copy of the state; and code that uses a donated array by mistake passes
# its tests as long as such a view is alive.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cat >look.py <<'EOF'
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np

step = jax.jit(lambda x: x + 1, donate_argnums=0)
step(jnp.zeros(1 << 20))


def given_up(look):
  array = jax.block_until_ready(jnp.zeros(1 << 20))
  place = array.unsafe_buffer_pointer()
  kept = look(array)
  with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    result = jax.block_until_ready(step(array))
  del kept
  same = result.unsafe_buffer_pointer() == place
  return array.is_deleted(), same, len(caught)


found = {
  "nothing": given_up(lambda array: None),
  "np.array": given_up(np.array),
  "np.asarray": given_up(np.asarray),
}
for name, (deleted, same, warned) in found.items():
  print(
    f"seen: {name} kept: deleted {deleted}, buffer used again {same},"
    f" warnings {warned}"
  )
if found["nothing"] != (True, True, 0) or found["np.array"] != (True, True, 0):
  sys.exit("changed: plain donation works otherwise now")
if found["np.asarray"] != (False, False, 0):
  sys.exit("changed: a view no longer prevents donation in silence")
EOF
venv/bin/python look.py
