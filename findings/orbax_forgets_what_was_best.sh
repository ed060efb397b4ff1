#!/usr/bin/env bash
# Package: orbax-checkpoint 0.12.8.
# One would expect: a CheckpointManager whose preservation policy is BestN over
# the metrics that save() is given keeps the best checkpoint, also where a later
# process goes on with the folder.
# Really: without `best_fn`, which the policy replaces, metrics are kept in
# memory alone. A second manager knows none, and its first save removes what was
# best. With `best_fn` set besides, they are written, and it stays.
# Why it matters: training that is stopped and goes on loses its best
# checkpoint, in silence.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install -qq orbax-checkpoint==0.12.8 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cat >look.py <<'EOF'
import pathlib
import sys

import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers as policies


def loss(metrics):
  return metrics["loss"]


def kept(folder, **options):
  """The steps that are left of two processes, the best of them the first's."""
  for saves in ([(1, 0.1), (2, 0.5)], [(3, 0.4)]):
    keep = policies.AnyPreservationPolicy(
      [
        policies.LatestN(1),
        policies.BestN(
          get_metric_fn=loss,
          reverse=True,
          n=1,
          keep_checkpoints_without_metrics=False,
        ),
      ]
    )
    with ocp.CheckpointManager(
      pathlib.Path(folder).absolute(),
      options=ocp.CheckpointManagerOptions(
        preservation_policy=keep, **options
      ),
    ) as manager:
      for step, value in saves:
        manager.save(
          step,
          args=ocp.args.StandardSave({"a": np.ones(3)}),
          metrics={"loss": value},
        )
      manager.wait_until_finished()
  return sorted(
    int(path.name) for path in pathlib.Path(folder).glob("[0-9]*")
  )


without = kept("without")
beside = kept("beside", best_fn=loss, best_mode="min")
print(f"seen: by the policy alone, steps {without} are left; step 1 was best")
print(f"seen: with best_fn besides, steps {beside}")
if (without, beside) != ([3], [1, 3]):
  sys.exit("changed: other checkpoints are left now")
EOF
venv/bin/python look.py
