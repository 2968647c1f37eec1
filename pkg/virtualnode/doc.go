// Package virtualnode keeps one Node object in the source cluster for each target: capacity, labels, taint, Ready condition
// and lease, by virtual-kubelet's node controller. Target objects come in, with the status that pkg/target writes; Node
// objects go out. A Node outlives bad kubeconfigs, reconnections and restarts of the controller, because deleting it would
// take the pods bound to it along; it goes when its Target is gone.
package virtualnode
