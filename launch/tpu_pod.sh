#!/usr/bin/env bash
# Runs a config on a TPU slice of one or more hosts as a queued resource: asks for the slice, waits for it, sets up every
# worker, runs on all of them, and deletes the slice at the end. A slice that is taken away is asked for again, and the
# run goes on where its last checkpoint was.
#
#   launch/tpu_pod.sh NAME ZONE TYPE CONFIG WORKDIR [--config.a.b=value ...]
#   DRY_RUN=1 launch/tpu_pod.sh ...       prints what it would do
#
# TYPE                  v5litepod-16, v6e-16, v5p-64, ...
# WORKDIR               gs://BUCKET/...: the workers share no disk, and theirs are gone with the slice
# PROJECT=ID            the Google Cloud project (default: gcloud's)
# SPOT=1                a cheaper slice that may be taken away at any moment
# DATA=DIR              a folder here that is copied to data/ on every worker
# HF_TOKEN_FILE=FILE    the hub's token, for weights behind a licence
# XLA_FLAG_SETS="tpu"   flags of launch/xla_flags/, none by default
# MAX_RESTARTS=100      slices to ask for again before giving up
# KEEP=1                leaves the slice there at the end
# POLL_SECONDS=60       between two looks at the queue
#
# Where the program itself fails, its exit status is the script's, and the slice stays there to be looked at.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/lib.sh

if (($# < 5)); then usage; fi
name=$1 zone=$2 type=$3 config=$4 workdir=$5
shift 5
source launch/cloud_tpu.sh
slice_of "$type"
if [[ $workdir != gs://* ]]; then fail "WORKDIR is '$workdir': expected gs://BUCKET/..., which all $hosts hosts see"; fi

LOST_CONNECTION=255 STOPPED=75 # the latter is the program's own, of a run that a signal stopped
restarts=0

ask_for_slice() {
  step gcloud compute tpus queued-resources create "$name" "${at[@]}" --node-id="$name" --accelerator-type="$type" \
    --runtime-version="$runtime" ${SPOT:+--spot}
}

delete_slice() {
  step gcloud compute tpus queued-resources delete "$name" "${at[@]}" --force --quiet
}

count_restart() {
  restarts=$((restarts + 1))
  say "$1 (restart $restarts of at most ${MAX_RESTARTS:-100})"
  if ((restarts > ${MAX_RESTARTS:-100})); then exit 1; fi
}

# Ends the script where the slice is as it should be: then it was the program that failed.
look_at_failure() {
  local status=$1
  step sleep "${POLL_SECONDS:-60}" # a slice that was taken away says so a little later
  state=$(node_state)
  if [[ $state != READY ]]; then
    count_restart "the slice was taken away"
    delete_slice
  elif ((status == LOST_CONNECTION)); then
    count_restart "the connection was lost"
  elif ((status == STOPPED)); then
    count_restart "a signal stopped the run"
  else
    say "the run failed with exit status $status; the slice is still there:" \
      "gcloud compute tpus queued-resources delete $name ${at[*]} --force"
    exit "$status"
  fi
}

while true; do
  state=$(asked gcloud compute tpus queued-resources describe "$name" "${at[@]}" '--format=value(state.state)')
  if [[ -z $state ]]; then
    ask_for_slice
    state=${DRY_RUN:+ACTIVE}
  fi
  case $state in
    ACTIVE)
      status=0
      { prepare_workers && run_on_workers --distributed --config="$config" --workdir="$workdir" "$@"; } || status=$?
      if ((status == 0)); then break; fi
      look_at_failure "$status"
      ;;
    FAILED | SUSPENDED)
      count_restart "the queue says $state"
      delete_slice
      ;;
    *) step sleep "${POLL_SECONDS:-60}" ;;
  esac
done
if [[ -z ${KEEP:-} ]]; then delete_slice; fi
