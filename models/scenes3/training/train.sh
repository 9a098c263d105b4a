#!/usr/bin/env bash
# Makes the model: ./train.sh all --hours 1 --workers 2   (or one stage; see make.py)
# The environment only makes PyTorch on a CPU faster; nothing in the result depends on it.
set -euo pipefail
cd "$(dirname "$0")"
export OMP_WAIT_POLICY=passive OPENBLAS_NUM_THREADS=1
export OPENBLAS_CORETYPE="${OPENBLAS_CORETYPE:-SkylakeX}"  # OpenBLAS 0.3.21 does not know newer Xeons and falls back
grep -q avx512f /proc/cpuinfo || unset OPENBLAS_CORETYPE
malloc=/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4
[ -e "$malloc" ] && export LD_PRELOAD="$malloc"
exec "${PYTHON:-/usr/bin/python3}" make.py "$@"
