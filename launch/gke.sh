#!/usr/bin/env bash
# Runs a config on a TPU slice of a GKE cluster as a JobSet: one pod a host, restarted all together when one fails or is
# taken away, until the run has ended. The cluster needs JobSet's controller and a TPU node pool of this type.
#
#   launch/gke.sh NAME TYPE IMAGE CONFIG WORKDIR [--config.a.b=value ...]
#   DRY_RUN=1 launch/gke.sh ...       prints the manifest that it would apply
#
# TYPE                   v5litepod-16, v6e-16, v5p-64, ...
# IMAGE                  the target tpu of launch/Dockerfile, in a registry that the cluster reads
# WORKDIR                gs://BUCKET/...: what is in a pod goes with it
# NAMESPACE=default      where the JobSet is made
# SERVICE_ACCOUNT=NAME   the Kubernetes service account that may write to the bucket
# SPOT=1                 nodes that may be taken away at any moment
# DATA_CLAIM=NAME        a volume claim, mounted read-only at /itool_jax/data
# HF_SECRET=NAME         a secret whose key HF_TOKEN is the hub's token, for weights behind a licence
# XLA_FLAG_SETS="tpu"    flags of launch/xla_flags/, none by default
# MAX_RESTARTS=100       of the JobSet
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/lib.sh

if (($# < 5)); then usage; fi
name=$1 type=$2 image=$3 config=$4 workdir=$5
shift 5
slice_of "$type"
if [[ $workdir != gs://* ]]; then fail "WORKDIR is '$workdir': expected gs://BUCKET/..., which all $hosts pods see"; fi
if [[ ! $name =~ ^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$ ]]; then
  fail "NAME is '$name': expected at most 40 of a-z, 0-9 and -, a letter first: pods and their hosts are called by it"
fi

quoted() { # as a text of YAML
  printf "'%s'" "${1//\'/\'\'}"
}

if_set() { # lines of YAML where $1 is not empty
  if [[ -n $1 ]]; then printf '%s\n' "${@:2}"; fi
}

nodes() {
  echo "            nodeSelector:"
  echo "              cloud.google.com/gke-tpu-accelerator: $node"
  echo "              cloud.google.com/gke-tpu-topology: $topology"
  if_set "${SPOT:-}" "              cloud.google.com/gke-spot: 'true'" \
    "            tolerations:" \
    "            - {key: cloud.google.com/gke-spot, operator: Equal, value: 'true', effect: NoSchedule}"
}

arguments() {
  local argument
  for argument in run --distributed --config="$config" --workdir="$workdir" "$@"; do
    echo "              - $(quoted "$argument")"
  done
}

environment() {
  local line lines
  # shellcheck disable=SC2086  # names without blanks
  lines=$(xla_environment ${XLA_FLAG_SETS:-}) || return
  if [[ -n $lines || -n ${HF_SECRET:-} ]]; then echo "              env:"; fi
  while IFS= read -r line; do
    if_set "$line" "              - {name: ${line%%=*}, value: $(quoted "${line#*=}")}"
  done <<<"$lines"
  if_set "${HF_SECRET:-}" "              - name: HF_TOKEN" \
    "                valueFrom: {secretKeyRef: {name: ${HF_SECRET:-}, key: HF_TOKEN}}"
}

manifest() {
  cat <<YAML
apiVersion: jobset.x-k8s.io/v1alpha2
kind: JobSet
metadata:
  name: $name
  namespace: ${NAMESPACE:-default}
  annotations:
    # A slice's nodes are one pool: all pods of the job go to the same one.
    alpha.jobset.sigs.k8s.io/exclusive-topology: cloud.google.com/gke-nodepool
spec:
  network:
    enableDNSHostnames: true  # JobSet makes the headless service by which the pods find each other
    subdomain: $name
  failurePolicy:
    maxRestarts: ${MAX_RESTARTS:-100}
    rules:
    - name: BadInput  # would fail again
      action: FailJobSet
      onJobFailureReasons: [PodFailurePolicy]
  replicatedJobs:
  - name: slice
    replicas: 1
    template:
      spec:
        completionMode: Indexed
        parallelism: $hosts
        completions: $hosts
        backoffLimit: 0  # one pod alone is never restarted: the others would wait for it
        podFailurePolicy:
          rules:
          - action: FailJob
            onExitCodes: {containerName: itool-jax, operator: In, values: [2]}
        template:
          spec:
            restartPolicy: Never
            terminationGracePeriodSeconds: 120  # to save the state in
YAML
  if_set "${SERVICE_ACCOUNT:-}" "            serviceAccountName: ${SERVICE_ACCOUNT:-}"
  nodes
  cat <<YAML
            containers:
            - name: itool-jax
              image: $(quoted "$image")
              args:
YAML
  arguments "$@"
  environment
  cat <<YAML
              ports:
              - containerPort: 8471  # between the hosts' TPU runtimes
              - containerPort: 8482  # JAX's coordinator
              resources:
                requests: {google.com/tpu: $per_host}
                limits: {google.com/tpu: $per_host}
YAML
  if_set "${DATA_CLAIM:-}" "              volumeMounts:" \
    "              - {name: data, mountPath: /itool_jax/data, readOnly: true}" \
    "            volumes:" \
    "            - name: data" \
    "              persistentVolumeClaim: {claimName: ${DATA_CLAIM:-}, readOnly: true}"
}

text=$(manifest "$@")
if [[ -n ${DRY_RUN:-} ]]; then
  printf '# kubectl apply -f -\n%s\n' "$text"
else
  kubectl apply -f - <<<"$text"
fi
