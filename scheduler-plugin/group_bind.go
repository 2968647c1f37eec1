package schedulerplugin

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/target"
	"github.com/spillway-dev/spillway/scheduler-plugin/groups"
	"github.com/spillway-dev/spillway/scheduler-plugin/views"
)

// gatherTimeout is how long the pods of a group may take from the first one's choice of a place until all have got there:
// each needs a scheduling cycle of its own.
const gatherTimeout = 30 * time.Second

// reserveGroup takes the pod's seat. A leader takes room for all before the next cycle begins, so that no other pod comes
// between them, and no two groups ever hold half a place each.
func (p *Plugin) reserveGroup(state fwk.CycleState, pod *corev1.Pod, nodeName string) *fwk.Status {
	c, err := cycleOf(state)
	if err != nil || c.group == nil || c.group.role == groups.Follows {
		return nil
	}
	g := c.group
	if g.role == groups.Leads {
		place := groupPlaceOf(&corev1.Pod{Spec: corev1.PodSpec{NodeName: nodeName}})
		if err := p.hold(place, g.seats[place], pod); err != nil {
			return fwk.AsStatus(fmt.Errorf("reserving room for group %s: %w", g.key, err))
		}
		g.attempt = p.groups.store.Begin(g.key, place, g.seats[place], c.whyNot(views.CountRefusals(views.LocalRefusals(state))))
		p.groups.sizes.Trust(g.key)
		defer p.wakeGroup(g.key)
		klog.Background().Info("chose place for group", "group", g.key.Name, "namespace", g.key.Namespace, "place", place, "pods", len(g.seats[place]))
	}
	if err := g.attempt.Reserve(pod.UID); err != nil {
		return fwk.NewStatus(fwk.Unschedulable, err.Error())
	}
	return nil
}

// hold takes the room of all but the leader, who takes its own as any pod does.
func (p *Plugin) hold(place string, seats []*groups.Seat, leader *corev1.Pod) error {
	for i, seat := range seats {
		var err error
		switch {
		case seat.Pod.UID == leader.UID:
		case place == groups.Local:
			err = p.promise(seat)
		default:
			if r := p.roomNamed(place); r != nil {
				err = r.dryrun.Assume(seat.Delegate, seat.Node)
			}
		}
		if err != nil {
			p.giveBack(place, seats[:i])
			return err
		}
	}
	return nil
}

// promise keeps a local node's room for a pod, as if others had been preempted for it.
func (p *Plugin) promise(seat *groups.Seat) error {
	info, err := framework.NewPodInfo(seat.Pod)
	if err != nil {
		return err
	}
	p.handle.AddNominatedPod(klog.Background(), info, &fwk.NominatingInfo{NominatingMode: fwk.ModeOverride, NominatedNodeName: seat.Node})
	return nil
}

// giveBack returns room that nobody has taken.
func (p *Plugin) giveBack(place string, seats []*groups.Seat) {
	r := p.roomNamed(place)
	for _, seat := range seats {
		switch {
		case place == groups.Local:
			p.handle.DeleteNominatedPodIfExists(seat.Pod)
		case r != nil:
			r.dryrun.Forget(seat.Delegate)
		}
	}
	if r != nil {
		p.waiting.tell(r.target.Name(), freed) // others may take it
	}
}

// gather returns when all pods of the group have got as far as this one: before, no delegate is created.
func (p *Plugin) gather(ctx context.Context, state fwk.CycleState, pod *corev1.Pod) *fwk.Status {
	if c, err := cycleOf(state); err == nil && c.group != nil && c.group.attempt != nil {
		return refusedAll(c.group.attempt.Arrive(ctx, pod.UID, gatherTimeout))
	}
	return nil
}

// awaitGroup returns when the target has scheduled the delegates of all: before, no pod is bound.
func (p *Plugin) awaitGroup(ctx context.Context, c *cycle, t *target.Target, pod *corev1.Pod) *fwk.Status {
	if c.group == nil || c.group.attempt == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, reservationTimeout(t))
	defer cancel()
	return refusedAll(c.group.attempt.Ready(ctx, pod.UID))
}

func refusedAll(err error) *fwk.Status {
	if err != nil {
		return fwk.NewStatus(fwk.Unschedulable, err.Error())
	}
	return nil
}

// groupRefused takes the whole group back, because its target refused one of its pods.
func (p *Plugin) groupRefused(pod *corev1.Pod, t *target.Target, reason string) {
	if a := p.groups.attemptOf(pod); a != nil {
		a.Fail(fmt.Sprintf(reasonMember, t.Name(), pod.Name, reason))
	}
}

// failGroup takes the whole group back, and remembers that the place would not have this pod of it.
func (p *Plugin) failGroup(a *groups.Attempt, pod *corev1.Pod, reason string) {
	place := strings.TrimPrefix(a.Place, v1alpha1.VirtualNodePrefix)
	if a.Fail(fmt.Sprintf(reasonMember, place, pod.Name, reason)) {
		pause := p.refusals.add(place, ofPod(pod.UID), pod.UID, byRule, reason)
		time.AfterFunc(pause, func() { p.wakeGroup(a.Key) })
	}
}

// groupBound and leaveGroup tell the group that a pod's way is over. A pod that gives up alone takes all others back.
func (p *Plugin) groupBound(c *cycle, pod *corev1.Pod) {
	if c.group != nil && c.group.attempt != nil {
		c.group.attempt.Bound(pod.UID)
	}
}

func (p *Plugin) leaveGroup(state fwk.CycleState, pod *corev1.Pod) {
	if c, err := cycleOf(state); err == nil && c.group != nil && c.group.attempt != nil {
		p.failGroup(c.group.attempt, pod, reasonGaveUp)
		c.group.attempt.Leave(pod.UID)
	}
}

// recallGroup takes back the delegates that some of a group have from before a restart, where the others do not fit.
func (p *Plugin) recallGroup(members []*corev1.Pod) {
	for _, pod := range members {
		if t, existing := p.holder(pod.UID); t != nil && existing.DeletionTimestamp == nil {
			p.giveUp(t, pod, existing)
		}
	}
}
