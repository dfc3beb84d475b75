# shellcheck shell=bash
# Cloud TPU VMs: what launch/tpu_vm.sh and launch/tpu_pod.sh share. They source it after launch/lib.sh, with the slice's
# name and zone set.

: "${name:?}" "${zone:?}"
at=(--zone="$zone" ${PROJECT:+--project="$PROJECT"})
# shellcheck disable=SC2086  # names without blanks
xla_lines=$(xla_environment ${XLA_FLAG_SETS:-})

# asked COMMAND...: what gcloud says of a resource; nothing where there is none, and in a dry run. Any other trouble ends
# the script.
asked() {
  local answer errors
  if [[ -n ${DRY_RUN:-} ]]; then return; fi
  errors=$(mktemp)
  if answer=$("$@" 2>"$errors"); then
    echo "$answer"
  elif ! grep -q NOT_FOUND "$errors"; then
    fail "gcloud: $(<"$errors")"
  fi
  rm "$errors"
}

# node_state: READY, PREEMPTED, ... or nothing.
node_state() {
  asked gcloud compute tpus tpu-vm describe "$name" "${at[@]}" '--format=value(state)'
}

on_workers() {
  step gcloud compute tpus tpu-vm ssh "$name" "${at[@]}" --worker=all --command="$1"
}

to_workers() {
  step gcloud compute tpus tpu-vm scp --recurse "$1" "$name:$2" "${at[@]}" --worker=all
}

# Copies what is committed here, and DATA and HF_TOKEN_FILE, to every worker and sets up an environment there. Doing it
# again changes nothing. The Python of a TPU VM is too old, so uv brings one.
prepare_workers() {
  if [[ -n $(git status --porcelain) ]]; then say "changes that are not committed do not go to the workers"; fi
  local unpack="mkdir -p itool_jax/data .cache/huggingface && tar xzf itool_jax.tar.gz -C itool_jax && cd itool_jax"
  local uv="\$HOME/.local/bin/uv"
  step mkdir -p build &&
    step git archive --format=tar.gz --output=build/itool_jax.tar.gz HEAD &&
    to_workers build/itool_jax.tar.gz itool_jax.tar.gz &&
    on_workers "$unpack && python3 -m pip install --quiet --user uv && \
$uv venv --quiet --allow-existing --python 3.12 .venv && $uv pip install --quiet -e '.[tpu,gcs,hub]'" || return
  if [[ -n ${HF_TOKEN_FILE:-} ]]; then to_workers "$HF_TOKEN_FILE" .cache/huggingface/token || return; fi
  if [[ -n ${DATA:-} ]]; then to_workers "$DATA" itool_jax/data/; fi
}

# run_on_workers [ARGUMENT...]: itool-jax run with these on every worker; a second one there waits for the first to end.
run_on_workers() {
  local variables=()
  if [[ -n $xla_lines ]]; then mapfile -t variables <<<"$xla_lines"; fi
  on_workers "cd itool_jax && \
$(words flock --wait 600 /tmp/itool_jax.lock env "${variables[@]}" .venv/bin/itool-jax run "$@")"
}
