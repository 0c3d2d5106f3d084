#!/usr/bin/env bash
# Hold each pure folder at 100 % line and branch coverage by its own tests.
# Usage: pure_coverage.sh PYTHON
set -euo pipefail
python=$1
status=0
for folder in runtime/records runtime/spec runtime/formats image/model image/protocol cri/streaming/wire; do
  [ -d "$folder" ] || continue
  tests="${folder%%/*}/tests/${folder#*/}"
  "$python" -m pytest -q -p no:cacheprovider "$tests" --cov="$folder" --cov-branch --cov-fail-under=100 \
    --cov-report=term-missing:skip-covered >"/tmp/lading-cover.$$" 2>&1 || {
    tail -n 40 "/tmp/lading-cover.$$"
    echo "pure_coverage.sh: $folder is not fully covered by $tests" >&2
    status=1
  }
done
rm -f "/tmp/lading-cover.$$"
[ "$status" -ne 0 ] || echo "pure folders: every line and branch is covered"
exit "$status"
