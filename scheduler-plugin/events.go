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

// EventsToRegister are the source cluster's events that may make a refused pod fit: virtual nodes come and change, and
// policies do. What happens to Targets and inside targets is told by news.go.
func (p *Plugin) EventsToRegister(context.Context) ([]fwk.ClusterEventWithHint, error) {
	policyChanged := p.calling(whenPolicyChanged)
	return []fwk.ClusterEventWithHint{
		{Event: fwk.ClusterEvent{Resource: fwk.Node, ActionType: fwk.Add | fwk.UpdateNodeLabel | fwk.UpdateNodeTaint | fwk.UpdateNodeCondition}, QueueingHintFn: p.callLine},
		{Event: fwk.ClusterEvent{Resource: fwk.Node, ActionType: fwk.UpdateNodeAllocatable}, QueueingHintFn: forGroups},
		{Event: fwk.ClusterEvent{Resource: fwk.AssignedPod, ActionType: fwk.Delete | fwk.UpdatePodScaleDown}, QueueingHintFn: forGroups},
		{Event: fwk.ClusterEvent{Resource: "placementpolicies.v1alpha1.spillway.dev", ActionType: fwk.All}, QueueingHintFn: policyChanged},
		{Event: fwk.ClusterEvent{Resource: "clusterplacementpolicies.v1alpha1.spillway.dev", ActionType: fwk.All}, QueueingHintFn: policyChanged},
	}, nil
}

// callLine has one pod of the waiting pod's shape woken, instead of every pod that waits.
func (p *Plugin) callLine(_ klog.Logger, pod *corev1.Pod, _, _ any) (fwk.QueueingHint, error) {
	if p.waiting.callLineOf(pod.UID) {
		return fwk.QueueSkip, nil
	}
	return fwk.Queue, nil
}

// calling calls the line of a pod that a hint would have queued.
func (p *Plugin) calling(hint fwk.QueueingHintFn) fwk.QueueingHintFn {
	return func(logger klog.Logger, pod *corev1.Pod, old, now any) (fwk.QueueingHint, error) {
		if queue, err := hint(logger, pod, old, now); err != nil || queue == fwk.QueueSkip {
			return queue, err
		}
		return p.callLine(logger, pod, old, now)
	}
}

// forGroups tries a group again when there is more room on a local node: of those it is this plugin that finds them too
// small for all its pods.
func forGroups(_ klog.Logger, pod *corev1.Pod, _, _ any) (fwk.QueueingHint, error) {
	if asked, err := groups.Of(pod); asked != nil && err == nil {
		return fwk.Queue, nil
	}
	return fwk.QueueSkip, nil
}

// whenSpecChanged keeps what is in a status from waking pods.
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
