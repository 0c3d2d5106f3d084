#!/usr/bin/env bash
# Run a command with hugetlb on cgroup v1, where the machine has a hybrid cgroup setup that crun refuses otherwise;
# takes the mount away again. On other machines it just runs the command.
# Usage: with_hugetlb.sh COMMAND...
set -euo pipefail

directory=/sys/fs/cgroup/hugetlb
unified=/sys/fs/cgroup/unified/cgroup.controllers

if [ -e "$unified" ] && grep -qw hugetlb "$unified" && ! mountpoint -q "$directory"; then
  mkdir -p "$directory"
  mount -t cgroup -o hugetlb cgroup "$directory"
  undo() {
    # A hierarchy with cgroups left in it stays alive after umount, so what tests left is removed first.
    find "$directory" -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null || true
    umount "$directory" && rmdir "$directory"
  }
  trap undo EXIT
fi
"$@"
