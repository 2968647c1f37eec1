package follow

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// sourceKey names an object of the source.
type sourceKey struct{ Kind, Namespace, Name string }

func (k sourceKey) String() string { return k.Kind + " " + k.Namespace + "/" + k.Name }

// waker is a copy to look at when its source changes.
type waker struct {
	lane *lane
	key  replicaKey
}

// source is one object of the source, watched by its name, as a kubelet does: a watch of all Secrets would need the right
// to read them all, and their memory.
type source struct {
	key  sourceKey
	kind kind
	stop context.CancelFunc

	mu      sync.Mutex
	synced  bool
	current *content // nil when the object does not exist
	err     error    // of the last attempt to list or watch
	changed chan struct{}
	wakers  map[waker]struct{}
}

var _ cache.ReflectorStore = (*source)(nil)

// follow returns the watched object, and wakes w whenever it changes; f.mu is held.
func (f *Follower) follow(key sourceKey, w waker) *source {
	s, ok := f.sources[key]
	if !ok {
		ctx, stop := context.WithCancel(f.ctx)
		s = &source{key: key, kind: kindOf[key.Kind], stop: stop, changed: make(chan struct{}), wakers: map[waker]struct{}{}}
		f.sources[key] = s
		f.running.Go(func() { s.run(ctx, f.options.Source) })
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wakers[w] = struct{}{}
	return s
}

// unfollow ends the watch with its last copy; f.mu is held.
func (f *Follower) unfollow(s *source, w waker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.wakers, w)
	if len(s.wakers) == 0 {
		s.stop()
		delete(f.sources, s.key)
	}
}

func (s *source) run(ctx context.Context, client kubernetes.Interface) {
	only := fields.OneTermEqualSelector(metav1.ObjectNameField, s.key.Name).String()
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = only
			list, err := s.kind.list(ctx, client, s.key.Namespace, o)
			return list, s.note(err)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = only
			events, err := s.kind.watch(ctx, client, s.key.Namespace, o)
			return events, s.note(err)
		},
	}
	cache.NewReflectorWithOptions(cache.ToListWatcherWithWatchListSemantics(lw, client), s.kind.example(), s,
		cache.ReflectorOptions{Name: s.key.String()}).RunWithContext(ctx)
}

// wait returns the content once it is known, and nil when the object does not exist. A source that refuses to be read is
// not waited for.
func (s *source) wait(ctx context.Context) (*content, error) {
	for {
		s.mu.Lock()
		synced, current, err, changed := s.synced, s.current, s.err, s.changed
		s.mu.Unlock()
		if synced {
			return current, nil
		}
		if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
			return nil, fmt.Errorf("reading %s in the source cluster: %w", s.key, err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if err == nil {
				err = ctx.Err()
			}
			return nil, fmt.Errorf("waiting for %s of the source cluster: %w", s.key, err)
		}
	}
}

func (s *source) content() *content {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// note keeps the outcome of a call for those who wait.
func (s *source) note(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	s.broadcast()
	return err
}

// set takes the object's state and wakes its copies.
func (s *source) set(current *content) {
	s.mu.Lock()
	s.synced, s.current = true, current
	s.broadcast()
	wakers := slices.Collect(maps.Keys(s.wakers))
	s.mu.Unlock()
	for _, w := range wakers {
		w.lane.queue.Add(w.key)
	}
}

func (s *source) broadcast() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Add is for the reflector, as the rest is.
func (s *source) Add(object any) error { return s.Update(object) }

// Update takes what a watch brought.
func (s *source) Update(object any) error {
	if found := s.kind.decode(object); found.meta.Name == s.key.Name {
		s.set(&found.content)
	}
	return nil
}

// Delete takes the object's end.
func (s *source) Delete(object any) error {
	if s.kind.decode(object).meta.Name == s.key.Name {
		s.set(nil)
	}
	return nil
}

// Replace takes a whole list.
func (s *source) Replace(objects []any, _ string) error {
	for _, object := range objects {
		if found := s.kind.decode(object); found.meta.Name == s.key.Name {
			s.set(&found.content)
			return nil
		}
	}
	s.set(nil)
	return nil
}

// Resync has nothing to do.
func (s *source) Resync() error { return nil }
