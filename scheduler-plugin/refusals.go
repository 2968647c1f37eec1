package schedulerplugin

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
)

const (
	// refusalBase is how long a target is not asked again for a pod that it refused; doubled at each further refusal.
	refusalBase = 15 * time.Second
	refusalMax  = 5 * time.Minute
)

// refusal is a target's answer to one pod.
type refusal struct {
	reason string
	at     time.Time
	until  time.Time
	times  int
}

type refusalKey struct {
	pod    types.UID
	target string
}

// refusals remembers which target refused which pod.
type refusals struct {
	clock clock.PassiveClock
	mu    sync.Mutex
	byKey map[refusalKey]refusal
}

func newRefusals(c clock.PassiveClock) *refusals {
	return &refusals{clock: c, byKey: map[refusalKey]refusal{}}
}

// add remembers a refusal and returns for how long.
func (r *refusals) add(pod types.UID, target, reason string) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	key, now := refusalKey{pod, target}, r.clock.Now()
	times := r.byKey[key].times + 1
	pause := min(refusalBase<<min(times-1, 10), refusalMax)
	r.byKey[key] = refusal{reason: reason, at: now, until: now.Add(pause), times: times}
	r.sweep(now)
	return pause
}

// get returns a refusal that still holds.
func (r *refusals) get(pod types.UID, target string) (refusal, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found, ok := r.byKey[refusalKey{pod, target}]
	return found, ok && r.clock.Now().Before(found.until)
}

// forget drops all that is remembered of a pod.
func (r *refusals) forget(pod types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key := range r.byKey {
		if key.pod == pod {
			delete(r.byKey, key)
		}
	}
}

// sweep drops what is long over, so that pods which were deleted while they waited are not remembered for ever.
func (r *refusals) sweep(now time.Time) {
	for key, found := range r.byKey {
		if now.Sub(found.until) > refusalMax {
			delete(r.byKey, key)
		}
	}
}
