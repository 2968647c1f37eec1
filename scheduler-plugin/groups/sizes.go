package groups

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

const (
	// readTimeout bounds the reading of one size, which nobody waits for.
	readTimeout = 10 * time.Second
	// rereadMin and rereadMax are how often a size is read again that keeps a group waiting: a Job that was made smaller, or
	// that has only its last pods to run, would else wait for pods that never come.
	rereadMin = 2 * time.Second
	rereadMax = time.Minute
)

// Reader reads the size of a group from the object that its key names; 0 when that does not want its pods together.
type Reader interface {
	Size(ctx context.Context, key Key) (int, error)
}

// Sizes are what Jobs and PodGroups say. They are read when a pod of theirs comes, one GET for each group, and never while
// a cycle waits.
type Sizes struct {
	reader Reader
	clock  clock.WithDelayedExecution
	wake   func(Key) // a size has become known, or another one

	mu    sync.Mutex
	byKey map[Key]*size
}

type size struct {
	n       int
	err     error
	at      time.Time // of the last answer; zero before the first
	reading bool
	doubted bool
	due     bool // a timer runs
	pause   time.Duration
}

// NewSizes returns an empty memory.
func NewSizes(reader Reader, c clock.WithDelayedExecution, wake func(Key)) *Sizes {
	return &Sizes{reader: reader, clock: c, wake: wake, byKey: map[Key]*size{}}
}

// Get returns the size. The error says that it is not known yet, or why it cannot be.
func (s *Sizes) Get(key Key) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.byKey[key]
	if found == nil {
		found = &size{}
		s.byKey[key] = found
		s.read(key, found)
	}
	switch {
	case found.err != nil:
		return 0, fmt.Errorf(textUnreadable, key, found.err)
	case found.at.IsZero():
		return 0, fmt.Errorf(textUnknown, key)
	}
	return found.n, nil
}

// Doubt reads a size again and again as long as it keeps a group waiting, ever more rarely.
func (s *Sizes) Doubt(key Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.byKey[key]
	if found == nil {
		return
	}
	found.doubted = true
	if s.clock.Since(found.at) >= rereadMax {
		s.read(key, found)
	} else {
		s.later(key, found)
	}
}

// Trust ends that: the group is complete.
func (s *Sizes) Trust(key Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.byKey[key]; found != nil {
		found.doubted, found.pause = false, 0
	}
}

// Forget drops the size of a group that has no pods any more.
func (s *Sizes) Forget(key Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byKey, key)
}

// read asks in the background.
func (s *Sizes) read(key Key, found *size) {
	if found.reading {
		return
	}
	found.reading = true
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
		defer cancel()
		n, err := s.reader.Size(ctx, key)
		if s.answered(key, found, n, err) {
			s.wake(key)
		}
	}()
}

// answered tells whether the answer is another one than before.
func (s *Sizes) answered(key Key, found *size, n int, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := found.at.IsZero() || n != found.n || (err == nil) != (found.err == nil)
	found.n, found.err, found.at, found.reading = n, err, s.clock.Now(), false
	if changed {
		found.pause = 0
	}
	s.later(key, found)
	return changed
}

// later reads again if there is no answer or a doubted one.
func (s *Sizes) later(key Key, found *size) {
	if found.due || found.reading || !found.doubted && found.err == nil {
		return
	}
	found.due = true
	found.pause = min(max(2*found.pause, rereadMin), rereadMax)
	s.clock.AfterFunc(found.pause, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		found.due = false
		if s.byKey[key] == found && (found.doubted || found.err != nil) {
			s.read(key, found)
		}
	})
}
