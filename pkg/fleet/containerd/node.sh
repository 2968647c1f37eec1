#!/bin/sh
# node.sh FOLDER: makes the network and the mounts of a node, and lives as long as the node does. Both are the node's own
# and go with its last process, however that ends. `unshare` has made them, still with all that the machine mounts.
set -eu
dir=$1
echo $$ >"{{.Procs}}"
host() { nsenter --target "$PPID" --net "$@"; }

mount --make-rshared / # among containers; nothing of it reaches the machine
cp -L /etc/resolv.conf "$dir/resolv.conf" || : >"$dir/resolv.conf"
# What kubelet, containerd and the CNI plugins keep under fixed names is the node's own.
for of in lib log; do
  mkdir -p "$dir/$of"
  mount --bind "$dir/$of" "/var/$of"
done
mount -t tmpfs -o mode=755 node /run

# The kubelet would set these for the whole machine and never back. It is shown that they are set already.
mkdir /run/sysctl
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  file=/run/sysctl/$(basename "${setting%=*}")
  echo "${setting#*=}" >"$file"
  mount --bind "$file" "/proc/sys/${setting%=*}"
done

# Layers cannot be stacked on a file system that itself is a stack, as in a container. There every image is copied.
mkdir -p "$dir/lib/try/lower" "$dir/lib/try/upper" "$dir/lib/try/work" "$dir/lib/try/all"
if mount -t overlay -o "lowerdir=/var/lib/try/lower,upperdir=/var/lib/try/upper,workdir=/var/lib/try/work" try /var/lib/try/all; then
  umount /var/lib/try/all
  echo overlayfs >"$dir/snapshotter"
else
  echo native >"$dir/snapshotter"
fi
rm -r "$dir/lib/try"
sed -i "s/SNAPSHOTTER/$(cat "$dir/snapshotter")/" "$dir/containerd.toml"

ip link set lo up
ip link add eth0 type veth peer name {{.Link}} netns "$PPID"
ip address add {{.NodeIP}}/24 dev eth0
ip link set eth0 up
host ip address add {{.HostIP}}/24 dev {{.Link}}
host ip link set {{.Link}} up
host ip route add {{.Pods}} via {{.NodeIP}}
ip route add default via {{.HostIP}}
echo 1 >/proc/sys/net/ipv4/ip_forward

echo $$ >"$dir/node.pid.new"
mv "$dir/node.pid.new" "$dir/node.pid" # from now on enter.sh works
exec sleep infinity
