package follow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/spillway-dev/spillway/pkg/delegate"
)

// Destination is where a pod's references go: a target.
type Destination interface {
	Name() string
	// Client returns the same value until the target is connected to anew; then every copy in it is looked at again.
	Client() kubernetes.Interface
}

// Options of a Follower.
type Options struct {
	// SourceCluster is the UID of the source's kube-system namespace.
	SourceCluster string
	// Source reads the source cluster.
	Source kubernetes.Interface
	// Linger is how long a copy that no pod uses stays, so that the pods of a Job that follow one another do not delete
	// and create it in turns; 30 s when zero.
	Linger time.Duration
	// Recheck is the age at which a copy is read again, because rights to a target do not include watching its Secrets;
	// 5 min when zero.
	Recheck time.Duration
	Logger  logr.Logger
}

// Follower ships references. Its methods may be called concurrently.
type Follower struct {
	options Options
	ctx     context.Context // ends the watches and workers
	stop    context.CancelFunc

	running sync.WaitGroup

	mu      sync.Mutex // never held while the network is waited for
	lanes   map[string]*lane
	sources map[sourceKey]*source
}

// New returns a Follower that works until the context of Run ends.
func New(o Options) *Follower {
	o.Linger = cmp.Or(o.Linger, 30*time.Second)
	o.Recheck = cmp.Or(o.Recheck, 5*time.Minute)
	ctx, stop := context.WithCancel(logr.NewContext(context.Background(), o.Logger))
	return &Follower{options: o, ctx: ctx, stop: stop, lanes: map[string]*lane{}, sources: map[sourceKey]*source{}}
}

// Ensure returns when everything that pod references is in namespace of dest with the source's content, and keeps it so
// until Release, which is due whatever Ensure returns: a running pod's copies must outlive a target that does not answer,
// so a failed Ensure holds them too, and goes on trying. A pod without references costs nothing.
//
// Errors are IsMissing for an object that the source does not have, IsRefused for one that is never shipped, IsForeign for
// one whose place in the target is taken, all of them joined, or the API servers'.
func (f *Follower) Ensure(ctx context.Context, dest Destination, namespace string, pod *corev1.Pod) error {
	references := delegate.References(pod)
	if len(references) == 0 {
		return nil
	}
	l, sources, err := f.hold(dest, namespace, pod, references)
	if err != nil {
		return err
	}
	failures := make([]error, len(references))
	var shipping sync.WaitGroup
	for i, reference := range references {
		shipping.Go(func() {
			failures[i] = f.ensure(ctx, l, keyOf(pod, reference, namespace), sources[i], reference.Optional)
		})
	}
	shipping.Wait()
	return errors.Join(failures...)
}

// Release ends the sync for a pod whose delegate is gone. What no pod of this source uses any more is deleted in the
// target after Options.Linger; that is tried until it succeeds.
func (f *Follower) Release(ctx context.Context, dest Destination, namespace string, podUID types.UID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.lanes[dest.Name()]
	if !ok {
		return
	}
	l.connect(dest.Client())
	pod := holder{namespace, podUID}
	for _, key := range l.holds[pod] {
		if l.replicas[key].release(podUID) {
			f.schedule(l, key)
		} else if l.replicas[key].needing.Len() == 0 {
			l.queue.Add(key) // it may be that only this pod kept it
		}
	}
	delete(l.holds, pod)
	logr.FromContextOrDiscard(ctx).V(1).Info("Released references", "target", l.name, "podUID", podUID)
}

// Forget drops all that is known of a target that is no longer one. Its copies stay: nobody can reach them.
func (f *Follower) Forget(target string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.lanes[target]
	if !ok {
		return
	}
	for key := range l.replicas {
		f.drop(l, key)
	}
	l.queue.ShutDown()
	delete(f.lanes, target)
}

// Run returns when ctx ends, and ends all work of the Follower. Copies stay, for whoever takes over.
func (f *Follower) Run(ctx context.Context) error {
	<-ctx.Done()
	f.mu.Lock()
	f.stop()
	for _, l := range f.lanes {
		l.queue.ShutDown()
	}
	f.mu.Unlock()
	f.running.Wait()
	return nil
}

func (f *Follower) ensure(ctx context.Context, l *lane, key replicaKey, s *source, optional bool) error {
	content, err := s.wait(ctx)
	switch {
	case err != nil:
		return err
	case content == nil && optional:
		return nil
	case content == nil:
		return &MissingError{Kind: key.Kind, Namespace: key.Namespace, Name: key.Name}
	}
	if err := f.settle(ctx, l, key); err != nil {
		return err
	}
	if !f.knows(l, key) {
		return fmt.Errorf("shipping %s to target %s: the pod was released, or the target forgotten", key.sourceKey, l.name)
	}
	return nil
}

func (f *Follower) knows(l *lane, key replicaKey) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return l.replicas[key] != nil
}

// hold notes that a pod uses its references, before anything is waited for: from here on no other pod's Release deletes
// them. The sources are in the order of the references.
func (f *Follower) hold(
	dest Destination, namespace string, pod *corev1.Pod, references []delegate.Reference,
) (*lane, []*source, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.ctx.Err(); err != nil {
		return nil, nil, fmt.Errorf("shipping references while shutting down: %w", err)
	}
	l, by := f.lane(dest), holder{namespace, pod.UID}
	sources := make([]*source, len(references))
	for i, reference := range references {
		key := keyOf(pod, reference, namespace)
		if l.replicas[key] == nil {
			l.replicas[key] = newReplica(f.follow(key.sourceKey, waker{l, key}))
		}
		l.replicas[key].users.Insert(pod.UID)
		if !reference.Optional {
			l.replicas[key].needing.Insert(pod.UID)
		}
		if !slices.Contains(l.holds[by], key) {
			l.holds[by] = append(l.holds[by], key)
		}
		sources[i] = l.replicas[key].source
	}
	return l, sources, nil
}
