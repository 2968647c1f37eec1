package schedulerplugin

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/spillway-dev/spillway/scheduler-plugin/groups"
)

// EventsToRegister are the source cluster's events that may make a refused pod fit: virtual nodes come and change with
// their targets. What happens inside a target is told by waiting.go.
func (p *Plugin) EventsToRegister(context.Context) ([]fwk.ClusterEventWithHint, error) {
	return []fwk.ClusterEventWithHint{
		{Event: fwk.ClusterEvent{Resource: fwk.Node, ActionType: fwk.Add | fwk.UpdateNodeLabel | fwk.UpdateNodeTaint | fwk.UpdateNodeCondition}},
		{Event: fwk.ClusterEvent{Resource: fwk.Node, ActionType: fwk.UpdateNodeAllocatable}, QueueingHintFn: forGroups},
		{Event: fwk.ClusterEvent{Resource: fwk.AssignedPod, ActionType: fwk.Delete | fwk.UpdatePodScaleDown}, QueueingHintFn: forGroups},
		{Event: fwk.ClusterEvent{Resource: fwk.EventResource("targets.v1alpha1.spillway.dev"), ActionType: fwk.Add | fwk.Update}, QueueingHintFn: whenSpecChanged},
		{Event: fwk.ClusterEvent{Resource: fwk.EventResource("placementpolicies.v1alpha1.spillway.dev"), ActionType: fwk.All}, QueueingHintFn: whenPolicyChanged},
		{Event: fwk.ClusterEvent{Resource: fwk.EventResource("clusterplacementpolicies.v1alpha1.spillway.dev"), ActionType: fwk.All}, QueueingHintFn: whenPolicyChanged},
	}, nil
}

// forGroups tries a group again when there is more room on a local node: of those it is this plugin that finds them too
// small for all its pods.
func forGroups(_ klog.Logger, pod *corev1.Pod, _, _ any) (fwk.QueueingHint, error) {
	if asked, err := groups.Of(pod); asked != nil && err == nil {
		return fwk.Queue, nil
	}
	return fwk.QueueSkip, nil
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

// whenPolicyChanged keeps what a policy's conditions say about targets from waking all pods that wait. That a new spec has
// been read shows in observedGeneration: the event of the spec itself may come before that.
func whenPolicyChanged(logger klog.Logger, pod *corev1.Pod, old, now any) (fwk.QueueingHint, error) {
	was, known := old.(*unstructured.Unstructured)
	is, exists := now.(*unstructured.Unstructured)
	if known && exists && observed(was) != observed(is) {
		return fwk.Queue, nil
	}
	return whenSpecChanged(logger, pod, old, now)
}

func observed(object *unstructured.Unstructured) int64 {
	generation, _, _ := unstructured.NestedInt64(object.Object, "status", "observedGeneration") // 0 before the first status
	return generation
}
