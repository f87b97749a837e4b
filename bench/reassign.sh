#!/usr/bin/env bash
# Rebalancing on the instances of a folder: model_NAME.txt and assignment_NAME.txt in REASSIGN_FOLDER, SECONDS_EACH for
# each (300). REASSIGN_PUBLISHED is a file of lines "NAME COST" to compare with; without it, the objectives that team S41
# published for set A of the ROADEF/EURO challenge 2012, after 300 s on a 2.66 GHz i7.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
folder=${REASSIGN_FOLDER:-}
if [ -z "$folder" ]; then
  echo "skipped: REASSIGN_FOLDER names no folder of instances"
  exit 0
fi
cd "$here"
cargo build --quiet --locked -p novacron-rebalance
bin=${CARGO_TARGET_DIR:-target}/debug/reassign
seconds=${SECONDS_EACH:-300}
published=${REASSIGN_PUBLISHED:-}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
if [ -z "$published" ]; then
  published=$dir/published
  cat >"$published" <<'TABLE'
a1_1 44306501
a1_2 777912030
a1_3 583006422
a1_4 262125116
a1_5 727578310
a2_1 329
a2_2 746097632
a2_3 1210644572
a2_4 1680615349
a2_5 318358949
TABLE
fi

printf '%-8s %15s %15s %9s %9s\n' instance objective published ratio seconds
for model in "$folder"/model_*.txt; do
  name=$(basename "$model" .txt)
  name=${name#model_}
  "$bin" "$model" "$folder/assignment_$name.txt" "$dir/out" --seconds "$seconds" >"$dir/said"
  awk -v name="$name" -v theirs="$(awk -v n="$name" '$1 == n { print $2 }' "$published")" '
    $1 == "after" { ours = $2 } $1 == "seconds" { seconds = $2 }
    END {
      ratio = theirs > 0 ? sprintf("%.5f", ours / theirs) : "-"
      printf "%-8s %15s %15s %9s %9s\n", name, ours, theirs == "" ? "-" : theirs, ratio, seconds
    }' "$dir/said"
done
