#!/bin/sh
# Writes the lock files anew; needs uv. dev.lock holds everything, run.lock the
# part of it that the command and the demonstration need, tpu.lock the compiler
# for TPUs alone. What is pinned already stays, where it still fits.
set -eu
cd "$(dirname "$0")/.."
compile() {
  uv pip compile setup.py --universal --python-version 3.11 \
    --generate-hashes --no-emit-index-url --no-header --quiet "$@"
}
compile --extra demo --extra data --extra mining --extra tfds --extra wan --extra baselines \
  --extra test --extra lint --extra bench -o requirements/dev.lock
compile --extra demo -c requirements/dev.lock -o requirements/run.lock
all="$(mktemp)"
compile --extra tpu -c requirements/dev.lock -o "$all" >/dev/null
awk '/^[^ ]/ { on = /^libtpu==/ } on && !/# via/' "$all" >requirements/tpu.lock
rm -f "$all"
