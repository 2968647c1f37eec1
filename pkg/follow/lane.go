package follow

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/workqueue"

	"golang.org/x/sync/singleflight"

	"github.com/spillway-dev/spillway/pkg/delegate"
)

const (
	workersPerTarget = 2
	firstRetry       = time.Second
	lastRetry        = 5 * time.Minute
	// shipTimeout bounds the calls for one copy. They do not end with the pod that waits for them: others may wait too.
	shipTimeout = 15 * time.Second
)

// lane is the work for one target. Each has its own queue and workers, so that a target that does not answer keeps no
// other one waiting.
type lane struct {
	name     string
	client   kubernetes.Interface
	queue    workqueue.TypedRateLimitingInterface[replicaKey]
	flights  singleflight.Group // at most one writer for each copy
	replicas map[replicaKey]*replica
	holds    map[holder][]replicaKey
}

// replicaKey names a copy: what it is of, and the target's namespace.
type replicaKey struct {
	sourceKey
	target string
}

// String is the key of a flight.
func (k replicaKey) String() string { return k.target + "<" + k.sourceKey.String() }

// holder is a pod in a namespace of the target.
type holder struct {
	namespace string
	pod       types.UID
}

func keyOf(pod *corev1.Pod, reference delegate.Reference, namespace string) replicaKey {
	return replicaKey{sourceKey{reference.Kind, pod.Namespace, reference.Name}, namespace}
}

// lane returns the work for a target, and begins it when there was none.
func (f *Follower) lane(dest Destination) *lane {
	l, ok := f.lanes[dest.Name()]
	if !ok {
		limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[replicaKey](firstRetry, lastRetry)
		l = &lane{
			name:     dest.Name(),
			client:   dest.Client(),
			queue:    workqueue.NewTypedRateLimitingQueue(limiter),
			replicas: map[replicaKey]*replica{},
			holds:    map[holder][]replicaKey{},
		}
		f.lanes[l.name] = l
		for range workersPerTarget {
			f.running.Go(func() { f.work(l) })
		}
	}
	l.connect(dest.Client())
	return l
}

// connect takes another client into use. It may lead to another cluster, so nothing known of the copies counts any more.
func (l *lane) connect(client kubernetes.Interface) {
	if l.client == client {
		return
	}
	l.client = client
	for key, r := range l.replicas {
		r.unknown()
		l.queue.Add(key)
	}
}

// work settles what changed in the source, what failed before and what lies unused. A failure is not lost here: its
// flight has queued the retry.
func (f *Follower) work(l *lane) {
	for {
		key, shutdown := l.queue.Get()
		if shutdown {
			return
		}
		if f.settle(f.ctx, l, key) == nil {
			f.mu.Lock()
			f.schedule(l, key)
			f.mu.Unlock()
		}
		l.queue.Done(key)
	}
}

// settle returns when a copy is as it should be. Whoever waits for the same copy shares one flight; the loop is for a
// flight that began before the last change.
func (f *Follower) settle(ctx context.Context, l *lane, key replicaKey) error {
	for f.plan(l, key).verb != doNothing {
		flight := l.flights.DoChan(key.String(), func() (any, error) {
			bounded, cancel := context.WithTimeout(f.ctx, shipTimeout)
			defer cancel()
			return nil, f.fly(bounded, l, key)
		})
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s in target %s: %w", key.sourceKey, l.name, ctx.Err())
		case result := <-flight:
			if result.Err != nil {
				return result.Err
			}
		}
	}
	return nil
}

// fly does what the copy needs now.
func (f *Follower) fly(ctx context.Context, l *lane, key replicaKey) error {
	next := f.begin(l, key)
	where := place{kindOf[key.Kind], next.client, l.name, key.target, f.options.SourceCluster, key.sourceKey}
	var uid types.UID
	var err error
	switch next.verb {
	case doShip:
		uid, err = where.ship(ctx, next.content)
	case doRemove:
		err = where.remove(ctx, next.uid)
	default:
		return nil
	}
	f.finish(l, key, next, uid, err)
	return err
}

// schedule queues the next look at a copy that is as it should be, if time alone brings one; f.mu is held.
func (f *Follower) schedule(l *lane, key replicaKey) {
	r, ok := l.replicas[key]
	switch {
	case !ok:
	case r.unused():
		l.queue.AddAfter(key, time.Until(r.unusedSince.Add(f.options.Linger)))
	// Without a source there is nothing to compare with: a look would change nothing, and call for the next at once.
	case r.source.content() != nil && r.shipped != "":
		l.queue.AddAfter(key, time.Until(r.checked.Add(f.options.Recheck)))
	}
}
