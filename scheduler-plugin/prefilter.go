package schedulerplugin

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

// PreFilter decides who may go where: whether the pod may leave the source at all, by which policy, and whether a delegate
// that exists already ties it to one target.
func (p *Plugin) PreFilter(_ context.Context, state fwk.CycleState, pod *corev1.Pod, nodes []fwk.NodeInfo) (*fwk.PreFilterResult, *fwk.Status) {
	growths := p.waiting.now()
	policy, err := p.Policies.For(pod)
	if err != nil {
		p.waiting.add(pod, growths)
		return nil, fwk.NewStatus(fwk.UnschedulableAndUnresolvable, err.Error())
	}
	c := &cycle{
		policy:  policy,
		shape:   shapeOf(pod),
		growths: growths,
		request: placement.RequestOf(pod),
		remote:  p.mayLeave(pod),
		places:  map[string]*place{},
	}
	if refusal := p.tie(c, pod, nodes); refusal != "" {
		p.waiting.add(pod, growths)
		return nil, fwk.NewStatus(fwk.UnschedulableAndUnresolvable, refusal)
	}
	if reason := p.joinGroup(c, pod, nodes); reason != "" {
		return nil, fwk.NewStatus(fwk.UnschedulableAndUnresolvable, reason)
	}
	if c.remote == "" && c.group == nil && p.preemptsFirst(policy, pod, c.fence) {
		c.localOnly = reasonPreemptsFirst
	}
	c.homes = p.homesOf(pod)
	c.local = placement.EstimateFor(c.request, p.localSignals())
	state.Write(cycleKey, c)
	return nil, nil
}

// PreFilterExtensions is nil: preemption changes nothing that this plugin looks at.
func (p *Plugin) PreFilterExtensions() fwk.PreFilterExtensions { return nil }

// localSignals are the price and carbon of the Target that says spec.self; unknown without one.
func (p *Plugin) localSignals() placement.Signals {
	if self := p.Registry.Self(); self != nil {
		return self.Signals
	}
	return placement.Signals{Energy: placement.EnergyFrom(nil)}
}

// mayLeave says why a pod may not leave the source; "" when it may. Admission looked at the same, but only when the pod
// was created, and only if nobody wrote schedulerName by hand.
func (p *Plugin) mayLeave(pod *corev1.Pod) string {
	if !elected(pod, p.Aliases) {
		return reasonNotElected
	}
	if pod.Labels[v1alpha1.LabelElected] != v1alpha1.ElectedTrue {
		return reasonNotAdmitted
	}
	if set, ok := p.Namespaces(pod.Namespace); !ok || !allowsBurst(set, p.Aliases) {
		return fmt.Sprintf(reasonNamespaceClosed, pod.Namespace)
	}
	return ""
}

func elected(pod *corev1.Pod, aliases bool) bool {
	for i, key := range v1alpha1.ElectAnnotations {
		if _, ok := pod.Annotations[key]; ok && (aliases || i == 0) {
			return true
		}
	}
	return false
}

func allowsBurst(set labels.Set, aliases bool) bool {
	for i, label := range v1alpha1.BurstLabels {
		if set[label.Key] == label.Value && (aliases || i == 0) {
			return true
		}
	}
	return false
}
