#!/usr/bin/env bash
# Holds the dependencies against deny.toml: licences, sources, bans, and known faults where their list can be had.
set -euo pipefail

if ! command -v cargo-deny >/dev/null; then
  echo "skipped: cargo-deny is not installed (cargo install --locked cargo-deny)"
  exit 0
fi
# `virt` names its licence in a form that SPDX has given up; deny.toml takes it as it is.
cargo deny --locked --offline check --allow parse-error bans licenses sources
if cargo deny --locked fetch db >/dev/null 2>&1; then
  cargo deny --locked --offline check advisories
else
  echo "skipped: known faults of dependencies, for the RustSec list can't be fetched"
fi
