package schedulerplugin

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
)

// PostFilter hears of a pod that fits nowhere. It makes no room.
func (p *Plugin) PostFilter(_ context.Context, state fwk.CycleState, pod *corev1.Pod, statuses fwk.NodeToStatusReader) (*fwk.PostFilterResult, *fwk.Status) {
	if c, err := cycleOf(state); err == nil && c.group != nil {
		return nil, p.groupFitsNowhere(c, pod, statuses)
	}
	return nil, fwk.NewStatus(fwk.Unschedulable)
}
