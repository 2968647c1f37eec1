package schedulerplugin

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/delegate"
	"github.com/spillway-dev/spillway/pkg/placement"
	"github.com/spillway-dev/spillway/scheduler-plugin/dryrun"
	"github.com/spillway-dev/spillway/scheduler-plugin/groups"
)

// fits asks whether a target has room: for the pod or, if it leads a group, for all of it.
func (p *Plugin) fits(ctx context.Context, c *cycle, r *room, pod *corev1.Pod, found *place) string {
	if c.alone() {
		return p.misfit(ctx, c, r, pod, found)
	}
	place := r.target.NodeName()
	if c.group.role == groups.Leads {
		reason := p.groups.misses.recall(c.group, place, c.seen, p.now(), func() string { return p.findSeats(ctx, c.group, r, found) })
		if reason != "" {
			found.forRoom = true // more of it may change whatever was said
			return reason
		}
	}
	seat := c.group.seatOf(pod.UID, place)
	if seat == nil {
		return fmt.Sprintf(reasonGroupOver, c.group.key)
	}
	found.node, found.FreeShare = seat.Node, seat.FreeShare
	return ""
}

// findSeats dry-runs the delegates of the whole group. Those that exist already have their room.
func (p *Plugin) findSeats(ctx context.Context, g *grouped, r *room, found *place) string {
	seats := make([]*groups.Seat, len(g.members))
	var asking []*groups.Seat
	var delegates []*corev1.Pod
	for i, member := range g.members {
		reason := p.memberRefused(member, r, found)
		made, err := delegate.Draft(member, p.delegateOptions(r.target))
		if reason == "" && err != nil {
			reason = err.Error()
		}
		if reason != "" {
			g.recall = g.place != ""
			return fmt.Sprintf(reasonOneOfGroup, member.Name, reason)
		}
		seats[i] = &groups.Seat{Pod: member, Delegate: made, FreeShare: 1}
		if existing := r.target.DelegateOf(member.UID); existing != nil && existing.Spec.NodeName != "" {
			seats[i].Node = existing.Spec.NodeName
			continue
		}
		asking, delegates = append(asking, seats[i]), append(delegates, made)
	}
	fits, err := r.dryrun.FitAll(ctx, delegates)
	if reason := said(err); reason != "" {
		g.recall = g.place != "" && dryrun.IsMisfit(err)
		return reason
	}
	seated(asking, fits)
	g.keep(r.target.NodeName(), seats)
	return ""
}

// memberRefused asks for each of the group what Filter asks for the pod whose cycle it is.
func (p *Plugin) memberRefused(member *corev1.Pod, r *room, found *place) string {
	if reason := p.mayLeave(member); reason != "" {
		return reason
	}
	if reason := p.refusedBefore(&cycle{shape: shapeAlone(member.UID)}, member, r, found); reason != "" {
		return reason
	}
	policy, err := p.Policies.For(member)
	if err != nil {
		return err.Error()
	}
	there := found.Place
	there.Estimate = placement.EstimateFor(placement.RequestOf(member), r.target.Signals())
	return policy.Admit(there)
}

// groupOnLocal says why the pod may not take a local node. A group's pods get the nodes on which the dry run of the whole
// group put them: the in-tree scores would spread the first ones where the others do not fit any more.
func (p *Plugin) groupOnLocal(ctx context.Context, c *cycle, pod *corev1.Pod, node string) string {
	g := c.group
	if reason := c.notWithGroup(groups.Local); reason != "" || g == nil || g.role == groups.Follows {
		return reason
	}
	if g.role == groups.Leads {
		g.onLocal.Do(func() {
			g.local = p.groups.misses.recall(g, groups.Local, c.seen, p.now(), func() string { return p.findLocalSeats(ctx, g, pod) })
		})
		if g.local != "" {
			return g.local
		}
	}
	seat := g.seatOf(pod.UID, groups.Local)
	switch {
	case seat == nil:
		return fmt.Sprintf(reasonGroupOver, g.key)
	case seat.Node != node:
		return fmt.Sprintf(reasonOtherNode, g.key, seat.Node)
	}
	return ""
}

func (p *Plugin) findLocalSeats(ctx context.Context, g *grouped, pod *corev1.Pod) string {
	for _, member := range g.members {
		if refusal, ok := p.refusals.get(groups.Local, shapeAlone(member.UID), member.UID); ok {
			return fmt.Sprintf(reasonOneOfGroup, member.Name, refusal.reason)
		}
	}
	fits, err := p.groups.nodes.FitAll(ctx, g.nodes, p.promised(g, pod), g.members)
	if reason := said(err); reason != "" {
		return reason
	}
	seats := make([]*groups.Seat, len(g.members))
	for i, member := range g.members {
		seats[i] = &groups.Seat{Pod: member}
	}
	seated(seats, fits)
	g.keep(groups.Local, seats)
	return ""
}

// promised are the pods that a node is kept free for, as the scheduler itself would count them.
func (p *Plugin) promised(g *grouped, pod *corev1.Pod) func(node string) []*corev1.Pod {
	own := map[*corev1.Pod]bool{}
	for _, member := range g.members {
		own[member] = true
	}
	return func(node string) []*corev1.Pod {
		var pods []*corev1.Pod
		for _, info := range p.handle.NominatedPodsForNode(node) {
			if other := info.GetPod(); !own[other] && corev1helpers.PodPriority(other) >= corev1helpers.PodPriority(pod) {
				pods = append(pods, other)
			}
		}
		return pods
	}
}

func seated(seats []*groups.Seat, fits []dryrun.Fit) {
	for i := range seats {
		seats[i].Node, seats[i].FreeShare = fits[i].Node, fits[i].FreeShare
	}
}

// said is the reason in a dry run's answer.
func said(err error) string {
	switch {
	case err == nil:
		return ""
	case dryrun.IsMisfit(err):
		return err.Error()
	}
	return fmt.Sprintf("its dry run failed: %v", err)
}

// groupFitsNowhere ends the attempt of a group one of whose pods did not get its seat after all. Room is never made for a group
// by preemption: for one of its pods that would end others for nothing.
func (p *Plugin) groupFitsNowhere(c *cycle, pod *corev1.Pod, statuses fwk.NodeToStatusReader) *fwk.Status {
	g := c.group
	switch {
	case g.role == groups.Joins:
		node := g.place
		if seat := g.attempt.Seat(pod.UID); g.place == groups.Local {
			node = seat.Node
		}
		p.failGroup(g.attempt, pod, statuses.Get(node).Message())
	case g.role == groups.Leads && g.recall:
		p.recallGroup(g.members)
	}
	return fwk.NewStatus(fwk.UnschedulableAndUnresolvable)
}
