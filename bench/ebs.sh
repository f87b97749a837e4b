#!/usr/bin/env bash
# EBS direct beside coldsnap 0.12 (cargo install coldsnap), against the same sandbox: 1 GiB of data, in and out, in turn.
# COLDSNAP=PATH says where coldsnap is; RUNS how often each runs (5).
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
coldsnap=${COLDSNAP:-$(command -v coldsnap || true)}
if [ -z "$coldsnap" ]; then
  echo "skipped: coldsnap is not installed (cargo install --locked coldsnap --version 0.12.0)"
  exit 0
fi
cd "$here"
# With `novacron`, so that the SDK is the one that is built already (docs/adr/0005).
cargo build --quiet --locked -p novacron -p novacron-provider-aws --example ebs_copy
ours=${CARGO_TARGET_DIR:-target}/debug/examples/ebs_copy
exec python3 bench/ebs.py "$NOVACRON_BIN" "$ours" "$coldsnap" "${RUNS:-5}"
