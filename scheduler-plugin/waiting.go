package schedulerplugin

import (
	"container/list"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
)

const (
	// wakeGather lets the changes that come together in a target wake pods together.
	wakeGather = 20 * time.Millisecond
	// wakeGap is the least time between two wakings.
	wakeGap = 100 * time.Millisecond
	// wakeBatch pods at most are awake and not yet tried again: thousands that still fit nowhere must not keep a new pod
	// that fits waiting.
	wakeBatch = 50
	// wakeLost is when a pod that was woken and never heard of again is no longer counted.
	wakeLost = 10 * time.Second
)

// anyTarget stands for a reason that news of any target may end, and for news that concern all.
const anyTarget = ""

// news of a target are what has happened there since the last waking.
type news int

const (
	grew    news = 1 << iota // there is more room than there was
	freed                    // a reservation of ours was given back
	joined                   // a pod came to run there, which others may want to be near to
	changed                  // anything else, such as the Target's spec
)

// waiting are the pods that fit nowhere, in a line for each shape. When a target changes, of each shape that it refused
// one pod is woken: if it is refused again, so would be the others; if it finds a place, it wakes the next two.
type waiting struct {
	wake  func(pods map[string]*corev1.Pod) // by namespace/name
	lift  func(target string)               // called before pods are woken because a target's room grew
	clock clock.WithDelayedExecution

	mu      sync.Mutex
	moment  int64            // counts changes of targets
	grown   map[string]int64 // the moment at which a target's room last grew
	altered map[string]int64 // the moment at which a target last changed otherwise, or a namespace
	told    map[string]news  // of targets, since the last waking
	lines   map[shape]*line
	byPod   map[types.UID]*waiter
	due     []*line
	awake   map[types.UID]time.Time // since when; woken and not yet tried again
	last    time.Time               // waking
	armed   bool
}

func newWaiting(c clock.WithDelayedExecution, lift func(string), wake func(map[string]*corev1.Pod)) *waiting {
	return &waiting{lift: lift, wake: wake, clock: c, grown: map[string]int64{}, altered: map[string]int64{}, told: map[string]news{},
		lines: map[shape]*line{}, byPod: map[types.UID]*waiter{}, awake: map[types.UID]time.Time{}}
}

// now is the moment, for add to tell whether a change was missed.
func (w *waiting) now() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.moment
}

// add puts a pod to sleep that was refused by what was seen at a moment. If a target that refused it has changed since,
// its line is called at once: it may have been refused by what is no longer so.
func (w *waiting) add(pod *corev1.Pod, s shape, by refusers, seen int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := w.byPod[pod.UID]
	if found != nil && found.line.shape != s {
		w.drop(pod.UID)
		found = nil
	}
	if found == nil {
		found = &waiter{line: w.line(s, pod)}
		found.line.members++
		w.byPod[pod.UID] = found
	}
	delete(w.awake, pod.UID)
	found.pod = pod
	switch {
	case found.at != nil: // the scheduler woke it by itself
	case found.line.pods.Len() > 0 && older(found.line.pods.Front().Value.(*waiter).pod, pod):
		found.at = found.line.pods.PushBack(found)
	default:
		found.at = found.line.pods.PushFront(found)
	}
	found.line.refusers = by
	if w.missed(pod, by, seen) {
		w.call(found.line, 1)
	}
	w.arm()
}

func (w *waiting) missed(pod *corev1.Pod, by refusers, seen int64) bool {
	if w.altered[anyTarget] > seen || w.altered[namespaceKey(pod.Namespace)] > seen {
		return true
	}
	for target, forRoom := range by {
		if target == anyTarget && w.moment > seen || w.altered[target] > seen || forRoom && w.grown[target] > seen {
			return true
		}
	}
	return false
}

// placed takes a pod out that has found a place, and calls the next of its line.
func (w *waiting) placed(pod types.UID, s shape) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop(pod)
	if found := w.lines[s]; found != nil {
		w.call(found, 2)
	}
	w.arm()
}

// remove takes a pod out that is gone. One that was awake leaves its turn to the next.
func (w *waiting) remove(pod types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := w.byPod[pod]
	if found == nil {
		return
	}
	if _, awake := w.awake[pod]; awake {
		w.call(found.line, 1)
	}
	w.drop(pod)
	w.arm()
}

// tell wakes a pod of each shape that a target refused, if the change is one that may end the refusal. Changes are only
// noted here and looked at together: a busy target has hundreds in a second.
func (w *waiting) tell(target string, what news) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moment++
	w.told[target] |= what
	if what == changed {
		w.altered[target] = w.moment
	} else {
		w.grown[target] = w.moment
	}
	w.arm()
}

// heed calls a pod of each line that the news concern; the caller holds the lock, here and below.
func (w *waiting) heed() {
	if len(w.told) == 0 {
		return
	}
	for target, what := range w.told {
		if what&grew != 0 {
			w.lift(target)
		}
	}
	for _, l := range w.lines {
		if l.calls == 0 && l.concerned(w.told) {
			w.call(l, 1)
		}
	}
	clear(w.told)
}

// namespaceKey is what no target is called.
func namespaceKey(namespace string) string { return "namespace/" + namespace }

// forget drops what is known of a target, or a namespace, that is gone.
func (w *waiting) forget(target string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.grown, target)
	delete(w.altered, target)
}

// line finds the line of a shape.
func (w *waiting) line(s shape, pod *corev1.Pod) *line {
	found := w.lines[s]
	if found == nil {
		found = &line{shape: s, pods: list.New(), company: wantsCompany(pod)}
		if pod.Spec.Priority != nil {
			found.priority = *pod.Spec.Priority
		}
		w.lines[s] = found
	}
	return found
}

func (w *waiting) drop(pod types.UID) {
	found := w.byPod[pod]
	delete(w.byPod, pod)
	delete(w.awake, pod)
	if found == nil {
		return
	}
	if found.at != nil {
		found.line.pods.Remove(found.at)
		found.line.calls = min(found.line.calls, found.line.pods.Len())
	}
	if found.line.members--; found.line.members == 0 {
		delete(w.lines, found.line.shape)
	}
}
