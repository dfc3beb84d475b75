# shellcheck shell=bash
# What the scripts of this folder share; they source it.

# Prints the comment at the head of the script that was called, and ends it.
usage() {
  sed -n '2,/^[^#]/s/^#\( \|$\)//p' "$0" >&2
  exit 2
}

# words COMMAND...: the command as one would type it.
words() {
  local word line=''
  for word in "$@"; do
    if [[ $word =~ ^[-A-Za-z0-9_./:=,@%+]+$ ]]; then line+=" $word"; else line+=" ${word@Q}"; fi
  done
  echo "${line# }"
}

# Prints a command and, unless DRY_RUN is set, runs it.
step() {
  words "$@"
  if [[ -z ${DRY_RUN:-} ]]; then "$@"; fi
}

say() {
  echo "$(basename "$0"): $*" >&2
}

fail() {
  say "$@"
  exit 2
}

# slice_of TYPE: what a TPU slice is made of, by the name that Google Cloud has for it.
#
#   topology   chips along each axis
#   chips      of the slice; the number in a v5p's name counts cores, of which a chip has two
#   hosts      machines, a process each
#   per_host   chips of a machine
#   runtime    software of a Cloud TPU VM
#   node       what GKE calls its nodes
# shellcheck disable=SC2034  # they are for the caller
slice_of() {
  local kind=${1%-*} size=${1##*-}
  case $kind in
    v5litepod) runtime=v2-alpha-tpuv5-lite node=tpu-v5-lite-podslice ;;
    v6e) runtime=v2-alpha-tpuv6e node=tpu-v6e-slice ;;
    v5p) runtime=v2-alpha-tpuv5 node=tpu-v5p-slice ;;
    *) fail "TYPE is '$1': expected v5litepod-CHIPS, v6e-CHIPS or v5p-CORES, such as v5litepod-16" ;;
  esac
  case $kind-$size in
    v5p-8) topology=2x2x1 ;;
    v5p-16) topology=2x2x2 ;;
    v5p-32) topology=2x2x4 ;;
    v5p-64) topology=2x4x4 ;;
    v5p-128) topology=4x4x4 ;;
    v5p-256) topology=4x4x8 ;;
    v5p-512) topology=4x8x8 ;;
    v5p-*) fail "TYPE is '$1': a v5p slice has 8, 16, 32, 64, 128, 256 or 512 cores here" ;;
    *-1) topology=1x1 ;;
    *-4) topology=2x2 ;;
    *-8) topology=2x4 ;;
    *-16) topology=4x4 ;;
    *-32) topology=4x8 ;;
    *-64) topology=8x8 ;;
    *-128) topology=8x16 ;;
    *-256) topology=16x16 ;;
    *) fail "TYPE is '$1': a slice of $kind has 1, 4, 8, 16, 32, 64, 128 or 256 chips" ;;
  esac
  chips=$((${topology//x/*}))
  if [[ $kind != v5p && $chips -le 8 ]]; then per_host=$chips; else per_host=4; fi
  hosts=$((chips / per_host))
}

# flags_of SET: the flags of launch/xla_flags/SET.txt in one line.
flags_of() {
  local file=launch/xla_flags/$1.txt
  if [[ ! -f $file ]]; then
    fail "there is no set of XLA flags '$1': the sets are $(cd launch/xla_flags && printf '%s ' *.txt | sed 's/\.txt//g')"
  fi
  sed 's/#.*//' "$file" | xargs
}

# xla_environment SET...: NAME=FLAGS for each variable that hands these sets to XLA, a line each.
xla_environment() {
  local set tpu='' other='' flags
  for set in "$@"; do
    flags=$(flags_of "$set") || return
    if [[ $set == tpu* ]]; then tpu+=" $flags"; else other+=" $flags"; fi
  done
  if [[ -n $tpu ]]; then echo "LIBTPU_INIT_ARGS=${tpu# }"; fi
  if [[ -n $other ]]; then echo "XLA_FLAGS=${other# }"; fi
}

# use_xla_flags: exports what XLA_FLAG_SETS names, "gpu gpu_repeatable" say, beside what is set already.
use_xla_flags() {
  local lines line name
  # shellcheck disable=SC2086  # names without blanks
  lines=$(xla_environment ${XLA_FLAG_SETS:-}) || exit
  while IFS= read -r line; do
    if [[ -z $line ]]; then continue; fi
    name=${line%%=*}
    step export "$name=${!name:+${!name} }${line#*=}"
  done <<<"$lines"
}
