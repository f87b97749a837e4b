#!/usr/bin/env bash
# Runs every test: test.sh VENV [cargo arguments]. With cargo-nextest where it is installed, else with cargo itself.
set -euo pipefail
venv=$1
shift
export NOVACRON_PYTHON="$venv/bin/python" NOVACRON_MOTO="$venv/bin/moto_server" NOVACRON_SCHEMATHESIS="$venv/bin/schemathesis"
without=(--exclude novacron-provider-libvirt)
[[ "$*" == *libvirt* ]] && without=()

if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --locked --workspace "${without[@]}" "$@"
else
  cargo test --locked --workspace "${without[@]}" --no-fail-fast "$@"
fi
cargo test --locked --workspace "${without[@]}" --doc --quiet "$@"
