#!/usr/bin/env bash
# The transfer engine beside nbdcopy, qemu-img and fio: transfer.sh [CASE ...]. Cases: raw memory stored nbd sparse second
# kill. DIR is where the images go (default: a scratch directory beside the target directory), SIZE_GIB the image's size
# (default 8), RUNS how often each pair runs (default 3). As root it drops the page cache before each run.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../target}
# An old program would be measured in silence, so it is built unless COPY_BIN names one.
if [ -z "${COPY_BIN:-}" ]; then
  (cd "$here/.." && cargo build --quiet -p novacron-transfer --example copy)
fi
export COPY_BIN=${COPY_BIN:-$target/debug/examples/copy}
exec python3 "$here/transfer.py" "$@"
