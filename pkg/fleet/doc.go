// Package fleet runs real Kubernetes clusters as processes on this machine, for the demo, the end-to-end tests and the
// benchmark. What enters is a Config (clusters, nodes, prices, carbon); what leaves is a Fleet: one
// kubeconfig per cluster, one Target per target cluster in each source cluster, and a running controller.
//
// Every cluster has its own etcd, kube-apiserver, kube-controller-manager and kube-scheduler, compiled once from the Go
// modules embedded under binaries/ and kept by version. Its nodes are its runtime's (runtime.go): simulated by one kwok
// process, which needs neither Docker nor root; one real node of this machine, with a containerd; or all of the cluster is
// kind's. Everything listens on 127.0.0.1, or in a network of a real node's own, on ports that were free, so that fleets run
// side by side.
//
// Folder of a fleet:
//
//	fleet.json                 the Fleet: configuration, ports, versions
//	<cluster>.kubeconfig       for people: an administrator's
//	<cluster>/pki/             certificates, keys and the components' kubeconfigs
//	<cluster>/<component>.log  what the component says
//	<cluster>/<component>.json how it was started, and its process id
//	<cluster>/node/            a real node: its configuration, and what it has under /var/lib and /var/log
package fleet
