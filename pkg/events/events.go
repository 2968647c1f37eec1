// Package events tells on source pods what happens to their delegates. The targets' events about pods come in; those about
// delegates go out as events of the source pods, one write each, and one more for each count that is told.
//
// It is beside the way on which status comes home: it has workers of its own, few of them, keeps nothing of what others'
// pods do, drops what is too much, and a target that does not let its events be read costs nothing but them.
package events

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/spillway-dev/spillway/pkg/delegate"
	"github.com/spillway-dev/spillway/pkg/target"
)

const (
	// workers are few: events must not take the API server's time from what pods wait for.
	workers = 2
	// maxPending bounds what waits to be written, should a target say more than can be told.
	maxPending = 5000
	// maxTries of a write; and of a look for a delegate whose event came before it.
	maxTries  = 4
	retryBase = 500 * time.Millisecond
	retryMax  = 5 * time.Second
)

// Each pod may have a burst of events and then one in a while, as with Kubernetes' own recorder, but sooner: the rest is
// dropped, and told by the count of the next.
const (
	podBurst = 25
	podRate  = 1.0 / 30
	podsKept = 4096
)

// Pods finds source pods.
type Pods interface {
	// Source returns an elected pod by its UID, or nil. It must not be changed.
	Source(uid types.UID) *corev1.Pod
}

// Options of a Teller.
type Options struct {
	Client kubernetes.Interface // the source's
	Pods   Pods
	Clock  clock.PassiveClock
}

// Teller tells what happens in the targets.
type Teller struct {
	Options
	queue   workqueue.TypedRateLimitingInterface[key]
	buckets *lru.Cache // of source pods, by UID

	mu       sync.Mutex
	ctx      context.Context // of Run; nil before it
	watchers map[string]*watcher
	pending  map[key]*corev1.Event // the latest state of each, until it is told
	told     map[string]counts     // what was told, by target
	full     bool
}

// counts are those that were told of a target's events, by their ID, as long as the target has them.
type counts map[string]int32

// key is one event of one target.
type key struct {
	target string
	uid    types.UID
}

// New returns a Teller; it must be added to the registry as a listener before the first target.
func New(o Options) *Teller {
	return &Teller{
		Options: o,
		queue: workqueue.NewTypedRateLimitingQueueWithConfig(
			workqueue.NewTypedItemExponentialFailureRateLimiter[key](retryBase, retryMax),
			workqueue.TypedRateLimitingQueueConfig[key]{Name: "events"}),
		buckets:  lru.New(podsKept),
		watchers: map[string]*watcher{},
		pending:  map[key]*corev1.Event{},
		told:     map[string]counts{},
	}
}

var _ target.Listener = (*Teller)(nil)

// Run works until the context ends: only one process may, or each event would be written by all.
func (e *Teller) Run(ctx context.Context) {
	e.mu.Lock()
	e.ctx = ctx
	for _, w := range e.watchers {
		w.start(ctx)
	}
	e.mu.Unlock()
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() { e.work(ctx) })
	}
	<-ctx.Done()
	e.queue.ShutDown()
	wg.Wait()
}

// TargetAdded watches a target's events, as soon as this runs.
func (e *Teller) TargetAdded(t *target.Target) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := &watcher{teller: e, target: t}
	e.watchers[t.Name()] = w
	if e.ctx != nil {
		w.start(e.ctx)
	}
}

// TargetRemoved forgets a target.
func (e *Teller) TargetRemoved(t *target.Target) {
	e.mu.Lock()
	w := e.watchers[t.Name()]
	delete(e.watchers, t.Name())
	delete(e.told, t.Name())
	e.mu.Unlock()
	if w != nil {
		w.stop()
	}
}

// seen takes an event of a target, and drops it at once unless it may be about a delegate and is news.
func (e *Teller) seen(t *target.Target, event *corev1.Event) {
	k := key{t.Name(), event.UID}
	if !delegate.IsName(event.InvolvedObject.Name) || event.Reason == reasonScheduled {
		return
	}
	if pod := delegateOf(t, event); pod != nil && !t.IsDelegate(pod) {
		return
	}
	event.ManagedFields = nil
	e.mu.Lock()
	_, waits := e.pending[k]
	full := !waits && len(e.pending) >= maxPending
	tell := full && !e.full
	e.full = full
	news := !full && e.toldOf(k) < delegate.EventCount(event)
	if news {
		e.pending[k] = event
	}
	e.mu.Unlock()
	if tell {
		ctrllog.Log.Info("dropped events, because more happened than can be told", "target", t.Name())
	}
	if news {
		e.queue.Add(k)
	}
}

// forget is for an event that the target has no more.
func (e *Teller) forget(t *target.Target, event *corev1.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.told[t.Name()], delegate.EventID(t.Name(), event.UID))
}

// recalled replaces what is known to have been told.
func (e *Teller) recalled(t *target.Target, told counts) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.told[t.Name()] = told
}

// toldOf is called with the lock held.
func (e *Teller) toldOf(k key) int32 { return e.told[k.target][delegate.EventID(k.target, k.uid)] }

func (e *Teller) work(ctx context.Context) {
	for {
		k, shutdown := e.queue.Get()
		if shutdown {
			return
		}
		switch {
		case e.tell(ctx, k):
			e.queue.Forget(k)
		case e.queue.NumRequeues(k) < maxTries:
			e.queue.AddRateLimited(k)
		default:
			e.queue.Forget(k)
			e.giveUp(k)
		}
		e.queue.Done(k)
	}
}

// giveUp is for an event whose delegate never came, or that could not be written.
func (e *Teller) giveUp(k key) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.pending, k)
}

// bucket of a source pod.
func (e *Teller) bucket(uid types.UID) flowcontrol.PassiveRateLimiter {
	e.mu.Lock()
	defer e.mu.Unlock()
	if found, ok := e.buckets.Get(uid); ok {
		return found.(flowcontrol.PassiveRateLimiter)
	}
	made := flowcontrol.NewTokenBucketPassiveRateLimiterWithClock(podRate, podBurst, e.Clock)
	e.buckets.Add(uid, made)
	return made
}
