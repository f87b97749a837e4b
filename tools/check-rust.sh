#!/usr/bin/env bash
# Says what is missing before a build starts, instead of failing in its middle.
set -euo pipefail
need=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
  echo "NovaCron needs Rust $need or newer, and there is none on the PATH. See https://rustup.rs" >&2
  exit 1
fi
have=$(rustc --version | awk '{ sub(/-.*/, "", $2); print $2 }')
if [ "$(printf '%s\n' "$need" "$have" | sort -V | head -n 1)" != "$need" ]; then
  echo "NovaCron needs Rust $need or newer; this is $have. Update it with: rustup update stable" >&2
  exit 1
fi
if ! command -v cc >/dev/null; then
  echo "NovaCron needs a C compiler, and there is no cc on the PATH. On Debian or Ubuntu: apt-get install gcc libc6-dev" >&2
  exit 1
fi
