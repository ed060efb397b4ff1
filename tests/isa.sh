#!/usr/bin/env bash
# Runs the quick tests as on other processors: without newer instructions, in
# XLA, NumPy, OpenCV and OpenBLAS, and on one core. Arguments go to pytest.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PYTHON="${PYTHON:-.venv/bin/python}"

# What NumPy would choose by the processor, beyond what it always uses.
features="$("$PYTHON" -c '
from numpy._core import _multiarray_umath as core
print(*(f for f in core.__cpu_dispatch__ if core.__cpu_features__.get(f)))')"

failed=()
run() { # name, workers, command...
  local name="$1" workers="$2"
  shift 2
  echo "== $name"
  "$@" "$PYTHON" -m pytest -n "$workers" --dist loadfile -m "not slow" \
    "${more[@]}" || failed+=("$name")
}
more=("$@")

run AVX2 2 env XLA_FLAGS=--xla_cpu_max_isa=AVX2 OPENBLAS_CORETYPE=Haswell
run SSE4.2 2 env XLA_FLAGS=--xla_cpu_max_isa=SSE4_2 \
  NPY_DISABLE_CPU_FEATURES="$features" \
  OPENCV_CPU_DISABLE=SSE4.1,SSE4.2,AVX,FP16,AVX2,FMA3,AVX512-SKX \
  OPENBLAS_CORETYPE=Nehalem
run "one core" 1 taskset -c 0
run "two cores" 2 taskset -c 0,1

if ((${#failed[@]})); then
  echo "Failed: ${failed[*]}" >&2
  exit 1
fi
