#!/usr/bin/env bash
# 10,000 machines over the embedded catalog and 40 hosts (HOSTS), under ten budgets, quotas of providers and regions, and 220
# spreads: the least cost that is found in SECONDS_EACH (10), beside the proven bound. GAP ends it sooner, when the
# objective is within that part of the bound (0). SEED makes another instance (1), ITEMS another size.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
cd "$here"
cargo build --quiet --locked -p novacron-fleet --example fleet_bench
exec "${CARGO_TARGET_DIR:-target}/debug/examples/fleet_bench" "${ITEMS:-10000}" "${SECONDS_EACH:-10}" "${SEED:-1}" "${GAP:-0}" \
    "${HOSTS:-40}"
