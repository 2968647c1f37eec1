package groups

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Seat is the room that an attempt holds for one pod.
type Seat struct {
	Pod       *corev1.Pod
	Node      string      // of the source or of the target
	FreeShare float64     // of the place, once the whole group is there
	Delegate  *corev1.Pod // nil on a local node
}

// stage is how far a pod has come with its seat.
type stage int

const (
	held     stage = iota // for a pod whose cycle has not come yet
	reserved              // by the pod's own cycle
	arrived               // at the first barrier
	ready                 // at the second: its delegate is scheduled
	bound
	left
)

// Attempt is a group on its way to one place.
type Attempt struct {
	Key   Key
	Place string            // Local, or a virtual node
	Why   map[string]string // why not the other places, by place, as the leader found

	store     *Store
	mu        sync.Mutex
	seats     map[types.UID]*Seat
	stages    map[types.UID]stage
	reason    string        // why it failed; "" while it has not
	gathered  chan struct{} // closed when all have arrived
	scheduled chan struct{} // closed when all are ready
	failed    chan struct{}
	over      bool
}

// Seat returns the pod's seat, nil when it has none.
func (a *Attempt) Seat(uid types.UID) *Seat { return a.seats[uid] }

// verdict of a pod that finds this attempt under way.
func (a *Attempt) verdict(uid types.UID) Verdict {
	a.mu.Lock()
	defer a.mu.Unlock()
	at, seated := a.stages[uid]
	switch {
	case a.reason != "":
		return wait(textTakingBack, a.Key, a.reason)
	case seated && at == held:
		return Verdict{Role: Joins, Place: a.Place}
	case a.over || at == left:
		return Verdict{Role: Follows, Place: a.Place} // the others are bound, or are just being bound
	}
	return wait(textPlacing, a.Key)
}

// Reserve takes the pod's seat, from when on the attempt is not over before the pod has been bound or has left.
func (a *Attempt) Reserve(uid types.UID) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.reason != "" {
		return fmt.Errorf(textTakenBack, a.Key, a.reason)
	}
	if at, seated := a.stages[uid]; !seated || at != held {
		return fmt.Errorf(textNoSeat, a.Key)
	}
	a.stages[uid] = reserved
	return nil
}

// Arrive is the first barrier: it returns when all pods have come here, and so when all have reserved.
func (a *Attempt) Arrive(ctx context.Context, uid types.UID, timeout time.Duration) error {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	a.reach(uid, arrived, a.gathered)
	select {
	case <-a.gathered:
		return nil
	case <-a.failed:
		return a.failure()
	case <-timer.C:
		a.Fail(fmt.Sprintf(textLate, a.Key, a.count(arrived), len(a.seats), timeout))
		return a.failure()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Ready is the second barrier: it returns when the target has scheduled all delegates. The context's end is the time limit.
func (a *Attempt) Ready(ctx context.Context, uid types.UID) error {
	a.reach(uid, ready, a.scheduled)
	select {
	case <-a.scheduled: // looked at first: what all have reached no failure undoes
		return nil
	default:
	}
	select {
	case <-a.scheduled:
		return nil
	case <-a.failed:
		return a.failure()
	case <-ctx.Done():
		a.Fail(fmt.Sprintf(textOthersLate, a.Key, a.count(ready), len(a.seats)))
		return a.failure()
	}
}

// reach notes how far a pod has come, and opens the barrier with the last of them.
func (a *Attempt) reach(uid types.UID, at stage, barrier chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.reason != "" || a.stages[uid] >= at {
		return
	}
	a.stages[uid] = at
	for _, other := range a.stages {
		if other < at {
			return
		}
	}
	close(barrier)
}

// Bound notes that the pod is at the place for good.
func (a *Attempt) Bound(uid types.UID) { a.leave(uid, bound) }

// Leave notes that the pod has given its seat up, and everything that it had there. An attempt that not all were ready for
// fails by that.
func (a *Attempt) Leave(uid types.UID) {
	if seat := a.Seat(uid); seat != nil {
		a.Fail(fmt.Sprintf(textGaveUp, seat.Pod.Name))
	}
	a.leave(uid, left)
}

func (a *Attempt) leave(uid types.UID, as stage) {
	a.mu.Lock()
	if at, seated := a.stages[uid]; seated && at != bound {
		a.stages[uid] = as
	}
	over := a.settle()
	a.mu.Unlock()
	if over {
		a.store.end(a)
	}
}

// Fail gives the place up for all, with the first reason that comes. After the second barrier it does nothing: then each
// pod has its delegate, and is bound by itself. It tells whether it was this reason.
func (a *Attempt) Fail(reason string) bool {
	a.mu.Lock()
	if a.reason != "" || a.isOpen(a.scheduled) || a.Place == Local && a.isOpen(a.gathered) {
		a.mu.Unlock()
		return false
	}
	a.reason = reason
	close(a.failed)
	var unused []*Seat
	for uid, at := range a.stages {
		if at == held {
			unused = append(unused, a.seats[uid])
			a.stages[uid] = left
		}
	}
	over := a.settle()
	a.mu.Unlock()
	a.store.GiveBack(a, unused)
	if over {
		a.store.end(a)
	}
	return true
}

// settle tells, once, that nobody is on the way any more.
func (a *Attempt) settle() bool {
	for _, at := range a.stages {
		if at != bound && at != left {
			return false
		}
	}
	first := !a.over
	a.over = true
	return first
}

func (a *Attempt) isOpen(barrier chan struct{}) bool {
	select {
	case <-barrier:
		return true
	default:
		return false
	}
}

// failure is nil when the last pod has come after all.
func (a *Attempt) failure() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.reason == "" {
		return nil
	}
	return fmt.Errorf(textTakenBack, a.Key, a.reason)
}

func (a *Attempt) count(at stage) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, reached := range a.stages {
		if reached >= at && reached != left {
			n++
		}
	}
	return n
}
