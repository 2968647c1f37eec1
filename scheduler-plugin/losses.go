package schedulerplugin

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
)

const (
	// lossesAllowed delegates in a row may be lost soon after they were bound, before their target is not used for a while.
	lossesAllowed = 3
	// lossSoon is how young such a delegate is. One that lives longer, or ends by itself, says that the target keeps pods.
	lossSoon = time.Minute
	// lossBase is how long the target is not used, doubled each time. Then one pod goes there, to see.
	lossBase = 30 * time.Second
	lossMax  = 10 * time.Minute
)

// losses remembers which targets take delegates and then delete them. The controllers of the lost pods make new ones at
// once, so without a pause that would be a loop as fast as the clusters can go.
type losses struct {
	clock clock.PassiveClock

	mu       sync.Mutex
	byTarget map[string]*record
}

// record is how the delegates of one target have fared.
type record struct {
	bound map[types.UID]time.Time // pods whose delegates are younger than lossSoon
	lost  int                     // in a row
	age   time.Duration           // the greatest of them, when they were lost
	times int                     // how often the target was not used
	until time.Time               // not used; zero: never
	trial types.UID               // the one pod that went there afterwards
}

func newLosses(c clock.PassiveClock) *losses {
	return &losses{clock: c, byTarget: map[string]*record{}}
}

// reason says why a pod may not go to a target now; "" when it may.
func (l *losses) reason(target string, pod types.UID) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := l.byTarget[target]
	if found == nil {
		return ""
	}
	now := l.clock.Now()
	found.outlived(now)
	switch {
	case found.lost < lossesAllowed:
		return ""
	case now.Before(found.until):
		return fmt.Sprintf(reasonDeletes, found.lost, found.within(), "not used until "+found.until.UTC().Format(time.TimeOnly)+" UTC")
	case found.trial != "" && found.trial != pod:
		return fmt.Sprintf(reasonDeletes, found.lost, found.within(), "one pod is on trial there")
	}
	return ""
}

// reserve makes a pod the one that is on trial, if there is to be one.
func (l *losses) reserve(target string, pod types.UID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if found := l.byTarget[target]; found != nil && found.lost >= lossesAllowed && found.trial == "" {
		found.trial = pod
	}
}

// unreserve is for a pod that did not go there after all, or whose end says nothing about the target. It tells whether it
// was on trial, so that another may go.
func (l *losses) unreserve(target string, pod types.UID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := l.byTarget[target]
	if found == nil {
		return false
	}
	delete(found.bound, pod)
	if found.trial != pod {
		return false
	}
	found.trial = ""
	return true
}

// targets are those of which something is known.
func (l *losses) targets() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.byTarget))
}

// keep notes that a pod is bound to a target. It returns whether it is on trial.
func (l *losses) keep(target string, pod types.UID) (onTrial bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := l.byTarget[target]
	if found == nil {
		found = &record{bound: map[types.UID]time.Time{}}
		l.byTarget[target] = found
	}
	now := l.clock.Now()
	found.outlived(now)
	found.bound[pod] = now
	return found.trial == pod
}

// lose notes that a target has deleted a delegate, or lost it. It returns for how long the target is not used because of
// it, and after which losses; zero when it is still used, or was not used already.
func (l *losses) lose(target string, pod types.UID) (pause time.Duration, lost int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := l.byTarget[target]
	if found == nil {
		return 0, 0
	}
	now := l.clock.Now()
	at, young := found.bound[pod]
	delete(found.bound, pod)
	if !young || now.Sub(at) >= lossSoon {
		return 0, 0
	}
	if found.lost >= lossesAllowed && found.trial != pod {
		return 0, 0 // it went there before the target was given up
	}
	found.outlived(now)
	found.lost++
	found.age = max(found.age, now.Sub(at))
	if found.lost < lossesAllowed {
		return 0, 0
	}
	pause = min(lossBase<<min(found.times, 10), lossMax)
	found.times++
	found.until, found.trial = now.Add(pause), ""
	return pause, found.lost
}

// end notes that a delegate has ended by itself.
func (l *losses) end(target string, pod types.UID) (recovered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := l.byTarget[target]
	if found == nil {
		return false
	}
	if _, ok := found.bound[pod]; !ok {
		return false
	}
	delete(found.bound, pod)
	return found.kept(pod)
}

// outlived drops pods that are no longer young. Each says that the target keeps what it is sent.
func (r *record) outlived(now time.Time) {
	for pod, at := range r.bound {
		if now.Sub(at) >= lossSoon {
			delete(r.bound, pod)
			r.kept(pod)
		}
	}
}

// kept begins anew, unless the target is not used: then only the pod on trial counts, because others went there before.
func (r *record) kept(pod types.UID) bool {
	if r.lost >= lossesAllowed && r.trial != pod {
		return false
	}
	recovered := r.times > 0
	r.lost, r.age, r.times, r.until, r.trial = 0, 0, 0, time.Time{}, ""
	return recovered
}

// within is the age rounded up, for a person.
func (r *record) within() time.Duration { return r.age.Truncate(time.Second) + time.Second }

// forget drops what is known of a target that is gone or changed.
func (l *losses) forget(target string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.byTarget, target)
}
