#!/bin/sh
# enter.sh COMMAND...: runs a command as a part of the node: in its network, its mounts and its cgroup.
set -eu
dir=$(dirname "$0")
echo $$ >"{{.Procs}}"
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
CONTAINERD_SNAPSHOTTER=$(cat "$dir/snapshotter") # for ctr
export CONTAINERD_SNAPSHOTTER
exec nsenter --target "$(cat "$dir/node.pid")" --net --mount -- "$@"
