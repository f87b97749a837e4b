#!/usr/bin/env bash
# How soon `novacron serve` is ready, and how much memory it and its mover hold when idle.
set -euo pipefail
bin=${NOVACRON_BIN:?the executable, as bench/run.sh sets it}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

one() {
  : >"$dir/log"
  "$bin" serve --data-dir "$dir/data" --listen 127.0.0.1:0 2>"$dir/log" &
  local pid=$! mover tries=0
  until grep -q 'is ready at' "$dir/log"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 200 ]; then cat "$dir/log" >&2; kill "$pid"; exit 1; fi
    sleep 0.05
  done
  sleep 1
  mover=$(cat "/proc/$pid/task/$pid/children")
  ready=$(sed -n 's/.* after \([0-9]*\) ms.*/\1/p' "$dir/log")
  rss=$(awk '/^VmRSS/ { sum += $2 } END { print int(sum / 1024) }' "/proc/$pid/status" "/proc/${mover// /}/status")
  pss=$(awk '/^Pss:/ { sum += $2 } END { print int(sum / 1024) }' "/proc/$pid/smaps_rollup" "/proc/${mover// /}/smaps_rollup")
  kill "$pid"
  wait "$pid" || true
  echo "$ready $rss $pss"
}

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
for _ in 1 2 3 4 5; do one; done >"$dir/runs"
printf 'ready after (median of 5)            %4s ms   promised: 300 ms\n' "$(awk '{ print $1 }' "$dir/runs" | median)"
printf 'idle memory, server and mover (PSS)  %4s MiB  promised: 60 MiB\n' "$(awk '{ print $3 }' "$dir/runs" | median)"
printf 'the same as RSS, which counts the pages of the executable twice: %s MiB\n' "$(awk '{ print $2 }' "$dir/runs" | median)"
