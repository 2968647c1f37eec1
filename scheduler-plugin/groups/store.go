package groups

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// Store holds the attempts that are under way, one for each group.
type Store struct {
	// GiveBack returns the room of seats that nobody has taken.
	GiveBack func(a *Attempt, unused []*Seat)
	// Over is called when nobody of a group is on the way any more: it may be tried again, or the rest may follow.
	Over func(key Key)

	mu    sync.Mutex
	byKey map[Key]*Attempt
	byPod map[types.UID]*Attempt
}

// NewStore returns an empty one.
func NewStore(giveBack func(*Attempt, []*Seat), over func(Key)) *Store {
	return &Store{GiveBack: giveBack, Over: over, byKey: map[Key]*Attempt{}, byPod: map[types.UID]*Attempt{}}
}

// Begin starts the group's attempt at a place, whose room the caller has taken for every seat. why says what speaks against
// other places.
func (s *Store) Begin(key Key, place string, seats []*Seat, why map[string]string) *Attempt {
	a := &Attempt{Key: key, Place: place, Why: why, store: s, seats: map[types.UID]*Seat{}, stages: map[types.UID]stage{},
		gathered: make(chan struct{}), scheduled: make(chan struct{}), failed: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byKey[key] = a
	for _, seat := range seats {
		a.seats[seat.Pod.UID], a.stages[seat.Pod.UID] = seat, held
		s.byPod[seat.Pod.UID] = a
	}
	return a
}

// Of returns the group's attempt. One that has succeeded is kept until none of its pods is unbound in the caller's eyes,
// which may lag behind.
func (s *Store) Of(key Key, unbound func(types.UID) bool) *Attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.byKey[key]
	if a == nil || !a.succeeded() {
		return a
	}
	for uid := range a.seats {
		if unbound(uid) {
			return a
		}
	}
	s.drop(a)
	return nil
}

// OfPod returns the attempt in which the pod has a seat, nil without.
func (s *Store) OfPod(uid types.UID) *Attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byPod[uid]
}

// Forget drops what is left of a group that has no pods any more.
func (s *Store) Forget(key Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.byKey[key]; a != nil && a.succeeded() {
		s.drop(a)
	}
}

// end drops an attempt that failed, so that the next one can begin.
func (s *Store) end(a *Attempt) {
	s.mu.Lock()
	if !a.succeeded() {
		s.drop(a)
	}
	s.mu.Unlock()
	s.Over(a.Key)
}

func (s *Store) drop(a *Attempt) {
	if s.byKey[a.Key] == a {
		delete(s.byKey, a.Key)
	}
	for uid := range a.seats {
		if s.byPod[uid] == a {
			delete(s.byPod, uid)
		}
	}
}

// succeeded tells that all are bound, or have been ready to be.
func (a *Attempt) succeeded() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.over && a.reason == ""
}
