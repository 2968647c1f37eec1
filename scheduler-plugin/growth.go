package schedulerplugin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/target"
	"github.com/spillway-dev/spillway/scheduler-plugin/dryrun"
)

// growth counts the delegates that wait in a target for nodes which its autoscaler is still to make: those of our binding
// cycles, and those that the target shows waiting, from before a restart.
type growth struct {
	mu    sync.Mutex
	slots map[types.UID]bool // by source pod, from Reserve until it is scheduled or taken back
	seen  map[types.UID]bool
}

func newGrowth() *growth { return &growth{slots: map[types.UID]bool{}, seen: map[types.UID]bool{}} }

// watch counts the delegates that the target's scheduler finds no node for; freed is called when one has left off waiting.
func (g *growth) watch(t *target.Target, freed func()) {
	see := func(obj any, there bool) {
		if pod, ok := target.Untomb(obj).(*corev1.Pod); ok && t.IsDelegate(pod) && g.see(pod, there) {
			freed()
		}
	}
	_, _ = t.Pods().AddEventHandler(cache.ResourceEventHandlerFuncs{ // fails only on a stopped informer
		AddFunc:    func(obj any) { see(obj, true) },
		UpdateFunc: func(_, obj any) { see(obj, true) },
		DeleteFunc: func(obj any) { see(obj, false) },
	})
}

// see returns whether the delegate has left off waiting.
func (g *growth) see(pod *corev1.Pod, there bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	uid := types.UID(pod.Labels[v1alpha1.LabelSourceUID])
	had := g.seen[uid]
	if there && pod.Spec.NodeName == "" && pod.DeletionTimestamp == nil && unschedulable(pod) != "" {
		g.seen[uid] = true
		return false
	}
	delete(g.seen, uid)
	return had
}

// take makes the pod one of those that wait, if there may be so many.
func (g *growth) take(pod types.UID, most int32) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.others(pod) >= int(most) && !g.seen[pod] {
		return false
	}
	g.slots[pod] = true
	return true
}

// release ends the pod's wait and tells whether it did wait.
func (g *growth) release(pod types.UID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	had := g.slots[pod]
	delete(g.slots, pod)
	return had
}

// full says that as many wait as may, beside the pod; "" when they do not.
func (g *growth) full(pod types.UID, most int32) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := g.others(pod); n >= int(most) {
		return fmt.Sprintf(reasonGrowthFull, n, most)
	}
	return ""
}

// others counts those that wait beside the pod; g.mu is held.
func (g *growth) others(pod types.UID) int {
	n := 0
	for uid := range g.slots {
		if uid != pod {
			n++
		}
	}
	for uid := range g.seen {
		if uid != pod && !g.slots[uid] {
			n++
		}
	}
	return n
}

// grow lets a pod that fits no node of a target wait there for a new one, if a new node can help and not too many wait
// already. It returns why not. Where no nodes are watched, the room that is known is a bound, which no node raises.
func (r *room) grow(pod *corev1.Pod, found *place, misfit error) string {
	declared := r.target.Spec().Capacity.Autoscaling
	if declared == nil || r.target.Nodes() == nil || !dryrun.Growable(misfit) && len(r.target.UsableNodes()) > 0 {
		return misfit.Error()
	}
	if full := r.growth.full(pod.UID, maxPendingPods(declared)); full != "" {
		return misfit.Error() + "; " + full
	}
	found.Growing = true
	return ""
}

// awaitNode waits for the node that the target's autoscaler is to make. Until then the target's scheduler finds none, which
// is what wakes the autoscaler and no refusal.
func (p *Plugin) awaitNode(ctx context.Context, r *room, pod *corev1.Pod, states <-chan target.Delegate, created *corev1.Pod) error {
	timeout := growthTimeout(r.target.Spec().Capacity.Autoscaling)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	p.handle.EventRecorder().Eventf(pod, nil, corev1.EventTypeNormal, eventWaitsForNode, actionScheduling, messageWaitsForNode, r.target.Name(), timeout)
	said := ""
	err := awaitScheduled(ctx, states, created, func(reason string) error {
		said = reason
		return nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return noRoom(fmt.Errorf(reasonNotGrown, timeout, said))
	}
	return err
}

// errWaitsForNode ends the wait for a scheduler that has no node yet.
var errWaitsForNode = errors.New("the delegate waits for a node")

// orWait lets a delegate wait that was thought to fit and for which the target has no node, where nobody could know better
// because nodes are not watched. Else the reason is a refusal.
func (r *room) orWait(pod types.UID, reason string) error {
	declared := r.target.Spec().Capacity.Autoscaling
	if declared != nil && r.target.Nodes() == nil && r.growth.take(pod, maxPendingPods(declared)) {
		return errWaitsForNode
	}
	return noRoom(errors.New(reason))
}

// endGrowth gives the place of a pod that waited for a node to the next.
func (p *Plugin) endGrowth(r *room, pod *corev1.Pod) {
	if r.growth.release(pod.UID) {
		p.waiting.tell(r.target.Name(), freed)
	}
}

// The defaults are the CRD's, for a Target that did not pass through it.
const (
	defaultMaxPendingPods = 10
	defaultGrowthTimeout  = 10 * time.Minute
)

func maxPendingPods(a *v1alpha1.Autoscaling) int32 {
	if a.MaxPendingPods == nil {
		return defaultMaxPendingPods
	}
	return *a.MaxPendingPods
}

func growthTimeout(a *v1alpha1.Autoscaling) time.Duration {
	if a.Timeout == nil {
		return defaultGrowthTimeout
	}
	return a.Timeout.Duration
}
