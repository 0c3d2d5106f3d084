#!/usr/bin/env bash
# Install the Debian packages that Lading's tests and demo drive for real; does nothing when all are present.
# Usage: debian_packages.sh python|demo|test|bench    (from demo on each level contains the one before)
set -euo pipefail

python=(python3-venv)
demo=(crun runc conmon containernetworking-plugins docker-registry busybox-static iptables gcc libc6-dev make iproute2)
test=(skopeo umoci nginx-light libseccomp-dev pkg-config procps e2fsprogs xz-utils psmisc)
bench=(libbtrfs-dev)

case "${1:-test}" in
  python) wanted=("${python[@]}") ;;
  demo) wanted=("${demo[@]}") ;;
  test) wanted=("${demo[@]}" "${test[@]}") ;;
  bench) wanted=("${demo[@]}" "${test[@]}" "${bench[@]}") ;;
  *) echo "debian_packages.sh: unknown level '$1'; use python, demo, test or bench" >&2; exit 2 ;;
esac

missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

# Services that come with these packages must not start: tests start their own on private ports.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
echo "installing: ${missing[*]}"
apt-get install -y --no-install-recommends "${missing[@]}" >/tmp/lading-apt.log 2>&1 || {
  apt-get update >>/tmp/lading-apt.log 2>&1
  apt-get install -y --no-install-recommends "${missing[@]}" >>/tmp/lading-apt.log 2>&1 || {
    tail -n 20 /tmp/lading-apt.log >&2
    echo "debian_packages.sh: apt-get could not install ${missing[*]}; the log is /tmp/lading-apt.log" >&2
    exit 1
  }
}
