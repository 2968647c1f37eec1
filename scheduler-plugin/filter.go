package schedulerplugin

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/delegate"
	"github.com/spillway-dev/spillway/pkg/placement"
	"github.com/spillway-dev/spillway/pkg/target"
	"github.com/spillway-dev/spillway/scheduler-plugin/dryrun"
	"github.com/spillway-dev/spillway/scheduler-plugin/views"
)

// Filter asks whether the pod may run on the node and, for a virtual node, whether it really fits the target. It refuses
// a virtual node as unresolvable, because preempting source pods there would make no room.
func (p *Plugin) Filter(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, info fwk.NodeInfo) *fwk.Status {
	c, err := cycleOf(state)
	if err != nil {
		return fwk.AsStatus(err)
	}
	found := p.judge(ctx, c, pod, info)
	c.set(info.Node().Name, found)
	if found.reason == "" {
		return nil
	}
	if found.Local {
		return fwk.NewStatus(fwk.UnschedulableAndUnresolvable, found.reason)
	}
	return fwk.NewStatus(fwk.UnschedulableAndUnresolvable, found.Name+": "+found.reason)
}

// judge finds out about one node.
func (p *Plugin) judge(ctx context.Context, c *cycle, pod *corev1.Pod, info fwk.NodeInfo) *place {
	if views.IsVirtual(info.Node()) {
		return p.remotePlace(ctx, c, pod, info.Node())
	}
	return p.localPlace(ctx, c, pod, info)
}

// localPlace is a node of the source, at the price and carbon of the Target that says spec.self. In-tree plugins have
// already found that the pod fits.
func (p *Plugin) localPlace(ctx context.Context, c *cycle, pod *corev1.Pod, info fwk.NodeInfo) *place {
	found := &place{Place: placement.Place{
		Name:      placement.LocalName,
		Local:     true,
		Estimate:  c.local,
		FreeShare: freeShare(info, c.request),
		Labels:    labels.Set(info.Node().Labels),
	}}
	switch down := c.review.down(found.Name); {
	case down != "":
		found.reason = down
	case c.fence != "":
		found.reason = fmt.Sprintf(reasonFenced, c.fence)
	default:
		found.reason = c.policy.Admit(found.Place)
	}
	if found.reason == "" {
		found.reason = p.groupOnLocal(ctx, c, pod, info.Node().Name)
	}
	return found
}

// remotePlace is a target. The order is from what costs least to find out to what costs most.
func (p *Plugin) remotePlace(ctx context.Context, c *cycle, pod *corev1.Pod, node *corev1.Node) *place {
	found := &place{Place: placement.Place{Name: targetName(node), Labels: labels.Set(node.Labels)}}
	room := p.roomOf(node)
	if room == nil {
		found.reason = reasonNoTarget
		return found
	}
	found.Estimate = placement.EstimateFor(c.request, room.target.Signals())
	if found.reason = c.review.down(found.Name); found.reason != "" {
		return found
	}
	if c.tied(node.Name) {
		p.tiedPlace(c, room, pod, found)
		return found
	}
	for _, refuse := range []func() string{
		func() string { return c.remote },
		func() string { return fenced(c, node) },
		func() string { return c.notWithGroup(node.Name) },
		func() string { return c.localOnly },
		func() string { return unusable(room, pod, node) },
		func() string { return p.namespaceNotFor(room.target.Spec(), pod.Namespace) },
		func() string { return p.refusedBefore(c, pod, room, found) },
		func() string { return p.losses.reason(room.target.Name(), pod.UID) },
		func() string { return c.policy.Admit(found.Place) },
		func() string { return unlessThere(c, room, pod, p.fits(ctx, c, room, pod, found)) },
	} {
		if found.reason = refuse(); found.reason != "" {
			return found
		}
	}
	return found
}

func fenced(c *cycle, node *corev1.Node) string {
	if c.fence != "" && c.fence != node.Name {
		return fmt.Sprintf(reasonFenced, c.fence)
	}
	return ""
}

func (p *Plugin) namespaceNotFor(spec *v1alpha1.TargetSpec, namespace string) string {
	declared := spec.Namespaces.Selector
	if declared == nil {
		return ""
	}
	selector, err := metav1.LabelSelectorAsSelector(declared)
	if err != nil {
		return fmt.Sprintf("its Target's namespaces.selector cannot be used: %v", err)
	}
	if set, _ := p.Namespaces(namespace); !selector.Matches(set) {
		return fmt.Sprintf(reasonNamespaceNotFor, namespace)
	}
	return ""
}

// refusedBefore gives what the target said to this pod, or to another one like it.
func (p *Plugin) refusedBefore(c *cycle, pod *corev1.Pod, r *room, found *place) string {
	refusal, ok := p.refusals.get(r.target.Name(), c.shape, pod.UID)
	if !ok {
		return ""
	}
	found.forRoom = refusal.kind == forRoom
	reason := reasonRefusedBefore
	if refusal.pod != pod.UID {
		reason = reasonRefusedAlike
	}
	// When, not how long ago: the pod's condition would else be another one at each try, and be written each time.
	return fmt.Sprintf(reason, refusal.at.UTC().Format("15:04:05Z"), refusal.reason)
}

// alike is what the delegates of identical pods for one target are made from.
type alike struct {
	shape      shape
	generation int64 // of the Target's spec
}

// misfit dry-runs the delegate, as it would be, on the target's nodes.
func (p *Plugin) misfit(ctx context.Context, c *cycle, r *room, pod *corev1.Pod, found *place) string {
	fit, err := r.dryrun.FitAlike(ctx, alike{c.shape, r.target.Object().Generation},
		func() (*corev1.Pod, error) { return delegate.Draft(pod, p.delegateOptions(r.target)) })
	switch {
	case err == nil:
		found.node, found.FreeShare = fit.Node, fit.FreeShare
		return ""
	case delegate.IsRefused(err):
		return err.Error()
	}
	found.forRoom = true
	if dryrun.IsMisfit(err) {
		return r.grow(pod, found, err)
	}
	return fmt.Sprintf("its dry run failed: %v", err)
}

func (p *Plugin) delegateOptions(t *target.Target) delegate.Options {
	return delegate.Options{SourceCluster: p.SourceCluster, TargetName: t.Name(), Target: t.Spec()}
}
