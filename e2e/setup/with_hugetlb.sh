#!/usr/bin/env bash
# Run a command with hugetlb on cgroup v1, where the machine has a hybrid cgroup setup that crun refuses otherwise;
# takes the mount away again with the last of those that run at the same time. On other machines it just runs the command.
# Usage: with_hugetlb.sh COMMAND...
set -euo pipefail

hierarchies=/sys/fs/cgroup
directory=$hierarchies/hugetlb
unified=$hierarchies/unified/cgroup.controllers
# Its presence says that a run made the mount; one that was there before is left alone.
made=/run/lading-e2e-hugetlb

if [ -e "$unified" ] && grep -qw hugetlb "$unified" && { [ -e "$made" ] || ! mountpoint -q "$directory"; }; then
  # Shared by all who use the mount; whoever gets it alone is the last one.
  exec 9<"$hierarchies"
  flock --shared 9
  make_once() {
    flock 8
    mountpoint -q "$directory" && return
    mkdir -p "$directory"
    mount -t cgroup -o hugetlb cgroup "$directory"
  }
  make_once 8>"$made"
  undo() {
    flock --exclusive --nonblock 9 || return 0
    # A hierarchy with cgroups left in it stays alive after umount, so what tests left is removed first.
    find "$directory" -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null || true
    umount "$directory" && rmdir "$directory" && rm -f "$made"
  }
  trap undo EXIT
  "$@" 9<&-
else
  "$@"
fi
