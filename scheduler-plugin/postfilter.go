package schedulerplugin

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
)

// PostFilter keeps a pod that fits nowhere, to be tried again when a place that refused it changes. It makes no room.
func (p *Plugin) PostFilter(_ context.Context, state fwk.CycleState, pod *corev1.Pod, statuses fwk.NodeToStatusReader) (*fwk.PostFilterResult, *fwk.Status) {
	c, err := cycleOf(state)
	if err != nil { // PreFilter has seen to it
		return nil, fwk.NewStatus(fwk.Unschedulable)
	}
	s := c.shape
	if c.fence != "" {
		s = shapeAlone(pod.UID)
	}
	p.waiting.add(pod, s, c.refusers(), c.seen)
	if c.group != nil {
		return nil, p.groupFitsNowhere(c, pod, statuses)
	}
	return nil, fwk.NewStatus(fwk.Unschedulable)
}

// refusers are the places that this plugin found unfit. What other plugins refused, they know when to try again.
func (c *cycle) refusers() refusers {
	c.mu.Lock()
	defer c.mu.Unlock()
	by := refusers{}
	for _, found := range c.places {
		if found.reason != "" {
			by[found.Name] = by[found.Name] || found.forRoom
		}
	}
	return by
}
