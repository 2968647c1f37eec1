package views

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/helper"
)

// SignPod is the inner plugin's: pods of one signature are placed alike, and looked at in batches. The plugin that spreads
// pods signs none while it has default constraints; but those are for what a Service or a ReplicaSet selects, and would
// keep a thousand pods of a Job, which nothing selects, from ever being a batch.
func (p *plugin) SignPod(ctx context.Context, pod *corev1.Pod) ([]fwk.SignFragment, *fwk.Status) {
	signer, ok := p.inner.(fwk.SignPlugin)
	if !ok {
		return nil, fwk.NewStatus(fwk.Unschedulable)
	}
	fragments, status := signer.SignPod(ctx, pod)
	if status.IsRejected() && p.unspread != nil && p.unspread(pod) {
		return nil, nil
	}
	return fragments, status
}

// unspread tells pods that have no constraints that spread them, and get none by default.
func unspread(handle fwk.Handle) func(*corev1.Pod) bool {
	core, apps := handle.SharedInformerFactory().Core().V1(), handle.SharedInformerFactory().Apps().V1()
	services, controllers := core.Services().Lister(), core.ReplicationControllers().Lister()
	replicas, stateful := apps.ReplicaSets().Lister(), apps.StatefulSets().Lister()
	return func(pod *corev1.Pod) bool {
		return len(pod.Spec.TopologySpreadConstraints) == 0 &&
			helper.DefaultSelector(pod, services, controllers, replicas, stateful).Empty()
	}
}
