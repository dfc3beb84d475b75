#!/usr/bin/env bash
# Runs a config on a Cloud TPU VM, a slice of one host: makes it unless it is there, sets it up, runs. It stays there.
#
#   launch/tpu_vm.sh NAME ZONE TYPE CONFIG WORKDIR [--config.a.b=value ...]
#   DRY_RUN=1 launch/tpu_vm.sh ...       prints what it would do
#
# TYPE                  v5litepod-8, v6e-8, v5p-8, ...
# WORKDIR               gs://BUCKET/..., or a folder on the VM, which is gone with it
# PROJECT=ID            the Google Cloud project (default: gcloud's)
# SPOT=1                a cheaper VM that may be taken away at any moment
# DATA=DIR              a folder here that is copied to data/ there
# HF_TOKEN_FILE=FILE    the hub's token, for weights behind a licence
# XLA_FLAG_SETS="tpu"   flags of launch/xla_flags/, none by default
#
# Afterwards: gcloud compute tpus tpu-vm delete NAME --zone=ZONE
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/lib.sh

if (($# < 5)); then usage; fi
name=$1 zone=$2 type=$3 config=$4 workdir=$5
shift 5
source launch/cloud_tpu.sh
slice_of "$type"
if ((hosts > 1)); then fail "$type has $hosts hosts: launch/tpu_pod.sh is for slices of several"; fi

state=$(node_state)
if [[ $state == PREEMPTED ]]; then
  step gcloud compute tpus tpu-vm delete "$name" "${at[@]}" --quiet
  state=
fi
if [[ -z $state ]]; then
  step gcloud compute tpus tpu-vm create "$name" "${at[@]}" --accelerator-type="$type" --version="$runtime" \
    ${SPOT:+--spot}
fi
prepare_workers
run_on_workers --config="$config" --workdir="$workdir" "$@"
