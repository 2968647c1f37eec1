package views

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
)

// aboutLocalNodes keeps events of virtual nodes, and of pods on them, from waking pods that local nodes refused: a pod that
// ends in a target makes no room here, and thousands may wait.
func aboutLocalNodes(hints []fwk.ClusterEventWithHint) []fwk.ClusterEventWithHint {
	local := make([]fwk.ClusterEventWithHint, len(hints))
	for i, hint := range hints {
		local[i] = hint
		local[i].QueueingHintFn = func(logger klog.Logger, pod *corev1.Pod, old, now any) (fwk.QueueingHint, error) {
			if isVirtualObject(old) || isVirtualObject(now) {
				return fwk.QueueSkip, nil
			}
			if hint.QueueingHintFn == nil {
				return fwk.Queue, nil
			}
			return hint.QueueingHintFn(logger, pod, old, now)
		}
	}
	return local
}

func isVirtualObject(obj any) bool {
	if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = gone.Obj
	}
	switch o := obj.(type) {
	case *corev1.Node:
		return IsVirtual(o)
	case *corev1.Pod:
		return o != nil && isVirtualName(o.Spec.NodeName)
	}
	return false
}
