package main

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/target"
)

// settleTime is how long a start waits for targets, whose delegates tell which waiting pods have a place already.
const settleTime = 8 * time.Second

// settle waits until every Target object has a connection that has been read or is known to be out of reach.
func (p *process) settle(ctx context.Context) {
	deadline := time.After(settleTime)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if p.settled(ctx) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-deadline:
			ctrllog.FromContext(ctx).Info("started without some targets, which have not answered yet")
			return
		case <-tick.C:
		}
	}
}

func (p *process) settled(ctx context.Context) bool {
	var list v1alpha1.TargetList
	if err := p.targets.List(ctx, &list); err != nil {
		return false
	}
	for _, object := range list.Items {
		if object.Spec.Self {
			continue
		}
		live := p.registry.Get(object.Name)
		if live == nil && !unusableKubeconfig(&object) {
			return false
		}
		if live != nil && !live.Synced() && !hopeless(live.Health()) {
			return false
		}
	}
	return true
}

// hopeless tells that a target's nodes and pods will not be read soon.
func hopeless(h target.Health) bool {
	return h.Reason == target.ReasonUnreachable || h.Reason == target.ReasonUnauthorized || (h.Rights != nil && len(h.Rights.Missing) > 0)
}

// unusableKubeconfig tells that a Target has no connection for a reason that waiting does not mend.
func unusableKubeconfig(object *v1alpha1.Target) bool {
	c := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReachable)
	return c != nil && c.Status == metav1.ConditionFalse
}

// unreadInterval is how often it is looked whether a target that was out of reach at the start has been read.
const unreadInterval = 250 * time.Millisecond

// followUnread tells the scheduler which targets have not been read, now and until none is left: pods that may have been
// sent there before the start must not go elsewhere. A Target that is deleted meanwhile is given up by whoever deletes it.
func (p *process) followUnread(ctx context.Context) {
	unread := p.unread(ctx)
	p.plugin.SetUnread(unread)
	if len(unread) == 0 {
		return
	}
	go func() {
		_ = wait.PollUntilContextCancel(ctx, unreadInterval, false, func(ctx context.Context) (bool, error) { // ends with the context
			now := p.unread(ctx)
			p.plugin.SetUnread(now)
			return len(now) == 0, nil
		})
	}()
}

// unread are the Targets that are not read. One that was made since is among them; it says that nothing was sent there.
func (p *process) unread(ctx context.Context) []*v1alpha1.Target {
	var list v1alpha1.TargetList
	_ = wait.PollUntilContextCancel(ctx, unreadInterval, true, func(ctx context.Context) (bool, error) { // ends with the context
		return p.targets.List(ctx, &list) == nil, nil
	})
	var unread []*v1alpha1.Target
	for i := range list.Items {
		object := &list.Items[i]
		if live := p.registry.Get(object.Name); !object.Spec.Self && (live == nil || !live.Synced()) {
			unread = append(unread, object)
		}
	}
	return unread
}
