#!/usr/bin/env bash
# Runs the benchmarks: run.sh [NAME ...]. Without a name, all. Each prints what it measured beside the named peer.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export NOVACRON_BIN=${NOVACRON_BIN:-${CARGO_TARGET_DIR:-$here/../target}/debug/novacron}
all() { find "$here" -maxdepth 1 -name '*.sh' ! -name run.sh -printf '%f\n' | sed 's/\.sh$//' | sort; }

for name in "${@:-$(all)}"; do
  for one in $name; do
    if [ ! -x "$here/$one.sh" ]; then
      echo "there is no benchmark $one; there are: $(all | xargs)" >&2
      exit 2
    fi
    echo "== $one"
    "$here/$one.sh"
  done
done
