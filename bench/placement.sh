#!/usr/bin/env bash
# One decision over the whole catalog, with its explanation and without: `bench/placement.sh [ROUNDS]`. The requests are listed in
# crates/placement/examples/decide.rs.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo run --quiet --locked -p novacron-placement --example decide -- "${1:-300}"
