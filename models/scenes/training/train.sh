#!/usr/bin/env bash
# Makes the whole model: ./train.sh all --hours 1.5   (or one stage; see train.py)
# The environment only makes PyTorch on a CPU faster; nothing in the result depends on it.
set -euo pipefail
cd "$(dirname "$0")"

export OMP_WAIT_POLICY=passive                      # threads that wait must not take time from others' work
export OPENBLAS_NUM_THREADS=1                       # the large products go through oneDNN
export OPENBLAS_CORETYPE="${OPENBLAS_CORETYPE:-SkylakeX}"  # OpenBLAS 0.3.21 does not know newer Xeons and falls back
grep -q avx512f /proc/cpuinfo || unset OPENBLAS_CORETYPE
malloc=/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4   # keeps freed memory, where glibc gives it back each step
[ -e "$malloc" ] && export LD_PRELOAD="$malloc"

exec "${PYTHON:-/usr/bin/python3}" train.py "$@"
