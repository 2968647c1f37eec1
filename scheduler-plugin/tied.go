package schedulerplugin

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/target"
)

// tied tells that a node's target has the pod's delegate, and that the pod alone decides what becomes of it, not its
// group.
func (c *cycle) tied(node string) bool {
	return c.existing != nil && c.fence == node && c.alone()
}

// tiedPlace is the target that has a delegate of the pod already, from a process before this one or from a binding whose
// answer was lost. What its scheduler has placed is taken as it is, as a bound pod stays whatever changes. What waits there
// is taken if the target would be asked today, and is else taken back, so that the pod can go elsewhere.
func (p *Plugin) tiedPlace(c *cycle, r *room, pod *corev1.Pod, found *place) {
	found.node, found.FreeShare = c.existing.Spec.NodeName, 1
	if reason, answers := r.target.Answers(); !answers {
		found.reason = reason
		return
	}
	if found.node != "" {
		return
	}
	for _, refuse := range []func() string{
		func() string { return c.remote },
		func() string { return p.namespaceNotFor(r.target.Spec(), pod.Namespace) },
		func() string { return p.refusedBefore(c, pod, r, found) },
		func() string { return c.policy.Admit(found.Place) },
	} {
		if found.reason = refuse(); found.reason != "" {
			if c.review == nil {
				p.giveUp(r.target, pod, c.existing)
			}
			return
		}
	}
	found.Growing = r.target.Spec().Capacity.Autoscaling != nil && unschedulable(c.existing) != ""
}

// tie says in the cycle where the pod's delegate is, and returns why the pod has to wait for one that is not known, or is
// about to go; "" when it need not.
func (p *Plugin) tie(c *cycle, pod *corev1.Pod, nodes []fwk.NodeInfo) string {
	if c.review.anew() {
		return ""
	}
	if fenced := p.fences.get(pod.UID); fenced != "" {
		return fmt.Sprintf(reasonHeld, fenced, "it could not be taken back yet")
	}
	t, existing := p.holder(pod.UID)
	switch {
	case t == nil:
		return p.held(pod, c.policy, nodes)
	case existing.DeletionTimestamp != nil:
		return t.Name() + ": " + reasonDelegateEnding
	}
	c.fence, c.existing = t.NodeName(), existing
	return ""
}

// holder finds the target that holds a delegate of this pod already.
func (p *Plugin) holder(pod types.UID) (*target.Target, *corev1.Pod) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, r := range p.rooms {
		if d := r.target.DelegateOf(pod); d != nil {
			return r.target, d
		}
	}
	return nil, nil
}
