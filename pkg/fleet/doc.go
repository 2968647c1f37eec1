// Package fleet runs real Kubernetes clusters as processes on this machine, for the demo, the end-to-end tests and the
// benchmark: no Docker, no root. What enters is a Config (clusters, nodes, prices, carbon); what leaves is a Fleet: one
// kubeconfig per cluster, one Target per target cluster in each source cluster, and a running controller.
//
// Every cluster has its own etcd, kube-apiserver, kube-controller-manager and kube-scheduler, compiled once from the Go
// modules embedded under binaries/ and kept by version; its nodes are simulated by one kwok process. Everything listens on
// 127.0.0.1, on ports that were free, so that fleets run side by side.
//
// Folder of a fleet:
//
//	fleet.json                 the Fleet: configuration, ports, versions
//	<cluster>.kubeconfig       for people: an administrator's
//	<cluster>/pki/             certificates, keys and the components' kubeconfigs
//	<cluster>/<component>.log  what the component says
//	<cluster>/<component>.json how it was started, and its process id
package fleet
