#!/usr/bin/env bash
# Prints exports that hand sets of XLA flags to a program; each flag has its reason in launch/xla_flags/SET.txt.
#
#   eval "$(launch/xla_flags.sh gpu)"           SET is one of gpu, gpu_repeatable, tpu, tpu_v6e; several may be given
#
# None is set unless asked for. The other scripts take the same names: XLA_FLAG_SETS="tpu tpu_v6e" launch/tpu_pod.sh ...
# It only prints, so its dry run is itself.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/lib.sh

if (($# < 1)) || [[ $1 == -* ]]; then usage; fi
XLA_FLAG_SETS=$* DRY_RUN=1 use_xla_flags
