package schedulerplugin

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
)

// EventsToRegister are the source cluster's events that may make a refused pod fit: virtual nodes come and change with
// their targets. What happens inside a target is told by waiting.go.
func (p *Plugin) EventsToRegister(context.Context) ([]fwk.ClusterEventWithHint, error) {
	return []fwk.ClusterEventWithHint{
		{Event: fwk.ClusterEvent{Resource: fwk.Node, ActionType: fwk.Add | fwk.UpdateNodeLabel | fwk.UpdateNodeTaint | fwk.UpdateNodeCondition}},
		{Event: fwk.ClusterEvent{Resource: fwk.EventResource("targets.v1alpha1.spillway.dev"), ActionType: fwk.Add | fwk.Update}, QueueingHintFn: whenSpecChanged},
		{Event: fwk.ClusterEvent{Resource: fwk.EventResource("placementpolicies.v1alpha1.spillway.dev"), ActionType: fwk.All}},
		{Event: fwk.ClusterEvent{Resource: fwk.EventResource("clusterplacementpolicies.v1alpha1.spillway.dev"), ActionType: fwk.All}},
	}, nil
}

// whenSpecChanged keeps the figures in a Target's status, which change with every pod, from waking all pods that wait.
func whenSpecChanged(_ klog.Logger, _ *corev1.Pod, old, now any) (fwk.QueueingHint, error) {
	was, err := meta.Accessor(old)
	if old == nil || err != nil {
		return fwk.Queue, nil
	}
	is, err := meta.Accessor(now)
	if err != nil || was.GetGeneration() != is.GetGeneration() {
		return fwk.Queue, nil
	}
	return fwk.QueueSkip, nil
}
