package schedulerplugin

import (
	"context"
	"errors"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
	"github.com/spillway-dev/spillway/scheduler-plugin/views"
)

// WhatIf marks a cycle that only asks: nothing of it is kept for the scheduler's own cycles. Its fields are what it
// supposes.
type WhatIf struct {
	// Down are targets that count as down; placement.LocalName is all local nodes.
	Down []string
	// Policy instead of the pod's; nil is the pod's.
	Policy *placement.Policy
	// Weights instead of the policy's; nil are the policy's.
	Weights *v1alpha1.Weights
	// Anew is for a pod that has a place, or does not exist: what ties it there, keeps it from elsewhere or lets it wait for
	// its group does not count.
	Anew bool
}

const reviewKey fwk.StateKey = Name + "Review"

// Begin makes a cycle one that only asks.
func (w *WhatIf) Begin(state fwk.CycleState) { state.Write(reviewKey, w) }

// Clone shares what is never changed.
func (w *WhatIf) Clone() fwk.StateData { return w }

// ReviewFactory hands what decides to a second framework, without the parts that act.
func (p *Plugin) ReviewFactory(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) {
	return &reviewer{plugin: p}, nil
}

// Places are the names of all targets, and placement.LocalName.
func (p *Plugin) Places() []string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	names := make([]string, 0, len(p.rooms)+1)
	for name := range p.rooms {
		names = append(names, name)
	}
	slices.Sort(names)
	return append(names, placement.LocalName)
}

// MayLeave says why a pod may not leave the source; "" when it may.
func (p *Plugin) MayLeave(pod *corev1.Pod) string { return p.mayLeave(pod) }

// Placement is what a cycle found out, with what the views refused before this plugin was asked. winner is a node's name;
// "" when none takes the pod.
func (p *Plugin) Placement(state fwk.CycleState, winner string, refused map[string]*fwk.Status) (placement.Record, error) {
	c, err := cycleOf(state)
	if err != nil {
		return placement.Record{}, err
	}
	local := map[string][]string{} // by node
	for node, status := range refused {
		name, virtual := strings.CutPrefix(node, v1alpha1.VirtualNodePrefix)
		switch {
		case virtual && c.get(node) == nil:
			c.set(node, p.refusedByView(c, name, status))
		case !virtual:
			local[node] = status.Reasons()
		}
	}
	localRefusals := views.CountRefusals(local)
	if down := c.review.down(placement.LocalName); down != "" {
		localRefusals = down
	}
	return c.record(winner, localRefusals, metav1.NewTime(p.now())), nil
}

func (p *Plugin) refusedByView(c *cycle, name string, status *fwk.Status) *place {
	found := &place{Place: placement.Place{Name: name}, reason: strings.Join(status.Reasons(), ", ")}
	if down := c.review.down(name); down != "" {
		found.reason = down
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if room := p.rooms[name]; room != nil {
		found.Estimate = placement.EstimateFor(c.request, room.target.Signals())
	}
	return found
}

// reviewOf is nil in the scheduler's own cycles.
func reviewOf(state fwk.CycleState) *WhatIf {
	data, err := state.Read(reviewKey)
	if err != nil {
		return nil
	}
	return data.(*WhatIf)
}

func (w *WhatIf) down(place string) string {
	if w != nil && slices.Contains(w.Down, place) {
		return reasonDownAsAsked
	}
	return ""
}

func (w *WhatIf) anew() bool { return w != nil && w.Anew }

// policyFor is the pod's policy, with what is supposed about it.
func (p *Plugin) policyFor(pod *corev1.Pod, w *WhatIf) (*placement.Policy, error) {
	var policy *placement.Policy
	var err error
	if w != nil && w.Policy != nil {
		policy = w.Policy
	} else if policy, err = p.Policies.For(pod); err != nil {
		return nil, err
	}
	if w == nil || w.Weights == nil {
		return policy, nil
	}
	changed := *policy
	changed.Weights = *w.Weights
	return &changed, nil
}

// unlessThere takes a misfit back for the target that runs a pod which is looked at anew: it is part of what fills it.
func unlessThere(c *cycle, r *room, pod *corev1.Pod, misfit string) string {
	if misfit != "" && c.review.anew() {
		if d := r.target.DelegateOf(pod.UID); d != nil && d.Spec.NodeName != "" && d.DeletionTimestamp == nil {
			return ""
		}
	}
	return misfit
}

// wake keeps a pod that is refused before any place is asked, to be tried again when any target changes; but not one that
// somebody only asks about.
func (p *Plugin) wake(w *WhatIf, pod *corev1.Pod, s shape, seen int64) {
	if w == nil {
		p.waiting.add(pod, s, refusers{anyTarget: false}, seen)
	}
}

// reviewer is the part of the plugin that only decides.
type reviewer struct{ plugin *Plugin }

var (
	_ fwk.PreFilterPlugin = (*reviewer)(nil)
	_ fwk.FilterPlugin    = (*reviewer)(nil)
	_ fwk.PreScorePlugin  = (*reviewer)(nil)
	_ fwk.ScorePlugin     = (*reviewer)(nil)

	errNotAReview = errors.New("this framework only reviews, and the cycle is none")
)

func (r *reviewer) Name() string { return Name }

func (r *reviewer) PreFilter(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, nodes []fwk.NodeInfo) (*fwk.PreFilterResult, *fwk.Status) {
	if reviewOf(state) == nil {
		return nil, fwk.AsStatus(errNotAReview)
	}
	return r.plugin.PreFilter(ctx, state, pod, nodes)
}

func (r *reviewer) PreFilterExtensions() fwk.PreFilterExtensions {
	return r.plugin.PreFilterExtensions()
}

func (r *reviewer) Filter(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, node fwk.NodeInfo) *fwk.Status {
	return r.plugin.Filter(ctx, state, pod, node)
}

func (r *reviewer) PreScore(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, nodes []fwk.NodeInfo) *fwk.Status {
	return r.plugin.PreScore(ctx, state, pod, nodes)
}

func (r *reviewer) Score(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, node fwk.NodeInfo) (int64, *fwk.Status) {
	return r.plugin.Score(ctx, state, pod, node)
}

func (r *reviewer) ScoreExtensions() fwk.ScoreExtensions { return r.plugin.ScoreExtensions() }
