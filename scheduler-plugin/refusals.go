package schedulerplugin

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
)

const (
	// refusalBase is how long a target is not asked again about what it refused; doubled at each further refusal.
	refusalBase = 15 * time.Second
	refusalMax  = 5 * time.Minute
	// refusalFloor is how long it is not asked again although its room grew, from the second refusal in a row on; doubled
	// likewise. A target that says no whenever one of its pods ends would else be asked each time.
	refusalFloor = time.Second
	// refusalsKept bounds the memory. One more makes it forget another, which costs a question.
	refusalsKept = 20000
)

// refusalKind is what ends a refusal before its time.
type refusalKind int

const (
	// forRoom ends when the target's room grows.
	forRoom refusalKind = iota
	// byRule ends when the Target object changes: what is allowed in the target cannot be watched.
	byRule
)

// refusal is a target's answer to a shape of pods, or to one pod.
type refusal struct {
	kind   refusalKind
	reason string
	pod    types.UID // that was refused
	at     time.Time
	floor  time.Time // before which growth does not end it
	until  time.Time
	times  int       // in a row; 0 once the target has taken such a pod
	asking types.UID // the one pod that asks again now that the refusal is over; "" when none does
}

// refusedKey is whom a target refused: all pods of a shape or, where the reason was the pod's own, that pod.
type refusedKey struct {
	shape shape
	pod   types.UID // "" for the whole shape
}

// ofShape and ofPod are the two kinds.
func ofShape(s shape) refusedKey     { return refusedKey{shape: s} }
func ofPod(pod types.UID) refusedKey { return refusedKey{pod: pod} }

// refusals remembers which target refused what, so that of many pods that are alike only one is refused.
type refusals struct {
	clock    clock.PassiveClock
	mu       sync.Mutex
	byTarget map[string]map[refusedKey]refusal
	kept     int // in all
	swept    time.Time
}

func newRefusals(c clock.PassiveClock) *refusals {
	return &refusals{clock: c, byTarget: map[string]map[refusedKey]refusal{}, swept: c.Now()}
}

// add remembers a refusal and returns for how long.
func (r *refusals) add(target string, key refusedKey, pod types.UID, kind refusalKind, reason string) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	old := r.byTarget[target][key]
	if old.times > 0 && now.Before(old.until) {
		return old.until.Sub(now) // another one that was on its way at the same time
	}
	made := refusal{kind: kind, reason: reason, pod: pod, at: now, floor: now, times: old.times + 1}
	pause := min(refusalBase<<min(made.times-1, 10), refusalMax)
	made.until = now.Add(pause)
	if made.times > 1 {
		made.floor = now.Add(min(refusalFloor<<min(made.times-2, 10), refusalBase))
	}
	r.makeRoom(now)
	r.put(target, key, made)
	return pause
}

// get returns the refusal that holds for a pod of this shape. One that is over holds for all but the pod that asks again.
func (r *refusals) get(target string, s shape, pod types.UID) (refusal, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	for _, key := range []refusedKey{ofShape(s), ofPod(pod)} {
		found, ok := r.byTarget[target][key]
		if ok && (now.Before(found.until) || found.asking != "" && found.asking != pod) {
			return found, true
		}
	}
	return refusal{}, false
}

// claim makes a pod the one that asks again, if the target's last answer to its shape was no.
func (r *refusals) claim(target string, s shape, pod types.UID) {
	r.change(target, ofShape(s), func(found *refusal) {
		if found.times > 0 && found.asking == "" {
			found.asking = pod
		}
	})
}

// release lets others ask, if this pod was the one.
func (r *refusals) release(target string, s shape, pod types.UID) {
	r.change(target, ofShape(s), func(found *refusal) {
		if found.asking == pod {
			found.asking = ""
		}
	})
}

// taken ends a refusal that is older than the question which the target has now answered with yes. It tells whether
// there was one.
func (r *refusals) taken(target string, s shape, pod types.UID, asked time.Time) (ended bool) {
	r.change(target, ofShape(s), func(found *refusal) {
		if ended = found.times > 0 && !found.at.After(asked); ended {
			found.times, found.until, found.asking = 0, found.at, ""
		}
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(target, ofPod(pod))
	return ended
}

// recent tells that the target said no to this shape not long ago, even if it has said yes since.
func (r *refusals) recent(target string, s shape) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	found, ok := r.byTarget[target][ofShape(s)]
	return ok && r.clock.Now().Sub(found.until) < refusalMax
}

// grown ends refusals for want of room in a target, and returns when each shape may be tried again, if that is not now.
func (r *refusals) grown(target string) map[shape]time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, later := r.clock.Now(), map[shape]time.Duration{}
	for key, found := range r.byTarget[target] {
		if found.kind != forRoom || !now.Before(found.until) {
			continue
		}
		if found.floor.After(now) {
			later[key.shape] = found.floor.Sub(now)
		}
		if found.floor.Before(found.until) {
			found.until = found.floor
			r.byTarget[target][key] = found
		}
	}
	return later
}

// dropTarget forgets what a target said: it is another now, or gone.
func (r *refusals) dropTarget(target string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept -= len(r.byTarget[target])
	delete(r.byTarget, target)
}

// dropPod forgets what was said of a pod that is gone. What was said of its shape holds for others.
func (r *refusals) dropPod(pod types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for target := range r.byTarget {
		r.drop(target, ofPod(pod))
	}
}

func (r *refusals) change(target string, key refusedKey, do func(*refusal)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if found, ok := r.byTarget[target][key]; ok {
		do(&found)
		r.byTarget[target][key] = found
	}
}

func (r *refusals) put(target string, key refusedKey, made refusal) {
	if r.byTarget[target] == nil {
		r.byTarget[target] = map[refusedKey]refusal{}
	}
	if _, ok := r.byTarget[target][key]; !ok {
		r.kept++
	}
	r.byTarget[target][key] = made
}

func (r *refusals) drop(target string, key refusedKey) {
	if _, ok := r.byTarget[target][key]; ok {
		delete(r.byTarget[target], key)
		r.kept--
	}
}

// makeRoom drops what is long over, now and then, and anything when there is too much.
func (r *refusals) makeRoom(now time.Time) {
	if now.Sub(r.swept) <= refusalMax && r.kept < refusalsKept {
		return
	}
	r.swept = now
	full := r.kept >= refusalsKept
	for target, said := range r.byTarget {
		for key, found := range said {
			if now.Sub(found.until) > refusalMax || full && r.kept > refusalsKept/2 {
				r.drop(target, key)
			}
		}
	}
}
