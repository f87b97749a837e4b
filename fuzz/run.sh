#!/usr/bin/env bash
# Fuzzes for so many seconds each, one after the other: run.sh SECONDS [TARGET…]. Without targets: all that can be built here.
set -euo pipefail
cd "$(dirname "$0")"
each=$1
shift

if ! cargo fuzz --version >/dev/null 2>&1 || ! rustc +nightly --version >/dev/null 2>&1; then
  echo "fuzzing needs cargo-fuzz and a nightly compiler:" >&2
  echo "  cargo install --locked cargo-fuzz && rustup toolchain install nightly" >&2
  exit 1
fi

features=()
if pkg-config --exists libvirt 2>/dev/null; then
  features=(--features libvirt)
else
  echo "skipped: libvirt_xml, for libvirt's development files are not here (apt-get install libvirt-dev)"
fi
if (($#)); then
  targets=("$@")
else
  mapfile -t targets < <(cargo fuzz list)
  ((${#features[@]})) || targets=("${targets[@]/libvirt_xml/}")
fi

./seeds.sh
for target in "${targets[@]}"; do
  [[ -n $target ]] || continue
  echo "== $target"
  # One allocation of more than 64 MiB, 1 GiB in all, or 10 s for one input are findings.
  cargo +nightly fuzz run "${features[@]}" "$target" -- \
    -max_total_time="$each" -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=64 -verbosity=0 -print_final_stats=1 2>&1 |
    sed '/^###### Recommended/,/^###### End/d'
done
