#!/usr/bin/env bash
# Put Debian's dynamic busybox into the cache, without installing it (it conflicts with busybox-static).
# Its shell runs programs by path; the static one's prefers built-in applets, so a masked /bin/ls would
# still "run" there and critest's MaskedPaths spec could not pass with any runtime.
# Usage: debian_busybox.sh    prints the path of the program
set -euo pipefail

cache="${LADING_CACHE:-$HOME/.cache/lading}/debian"
final="$cache/busybox"
if [ ! -x "$final/bin/busybox" ]; then
  mkdir -p "$cache"
  staging=$(mktemp -d -p "$cache")
  trap 'rm -rf "$staging"' EXIT
  (cd "$staging" && apt-get download busybox) >"$cache/busybox.log" 2>&1 || {
    tail -n 5 "$cache/busybox.log" >&2
    echo "debian_busybox.sh: apt-get could not download the package busybox" >&2
    exit 1
  }
  dpkg -x "$staging"/busybox_*.deb "$staging/tree"
  mv -T "$staging/tree" "$final" 2>/dev/null || [ -x "$final/bin/busybox" ]
fi
echo "$final/bin/busybox"
