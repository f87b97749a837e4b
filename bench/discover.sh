#!/usr/bin/env bash
# 10,000 instances of a sandbox discovered, beside boto3 listing them. Needs the Python environment of `make setup`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=${NOVACRON_PYTHON:-$HOME/.cache/novacron/venv/bin/python}
if ! "$python" -c 'import boto3' 2>/dev/null; then
  echo "skipped: no boto3 at $python (make setup)"
  exit 0
fi
exec "$python" "$here/discover.py" "$NOVACRON_BIN" "${RUNS:-5}"
