#!/usr/bin/env bash
# How long the embedded catalog takes to load and how much memory it holds: in a fresh process (RUNS of them, default 5; the
# first load is what a person waits for), and again and again in one. The promise is 100 ms and 150 MiB.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../target}
(cd "$here/.." && cargo build --quiet -p novacron-catalog --example load)
for _ in $(seq "${RUNS:-5}"); do
  "$target/debug/examples/load" 1
done
echo "in one process:"
"$target/debug/examples/load" 50
