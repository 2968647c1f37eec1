package schedulerplugin

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// callShape wakes one pod of a shape.
func (w *waiting) callShape(s shape) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if found := w.lines[s]; found != nil && found.calls == 0 {
		w.call(found, 1)
	}
	w.arm()
}

// callLineOf wakes one pod of the shape that this pod has, and tells whether the pod is known here.
func (w *waiting) callLineOf(pod types.UID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := w.byPod[pod]
	if found == nil {
		return false
	}
	if found.line.calls == 0 {
		w.call(found.line, 1)
	}
	w.arm()
	return true
}

// callPod wakes this very pod, for what concerns it alone.
func (w *waiting) callPod(pod types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if found := w.byPod[pod]; found != nil && found.at != nil {
		found.line.pods.MoveToFront(found.at)
		w.call(found.line, 1)
	}
	w.arm()
}

// callNamespace wakes one pod of each shape that is of this namespace, and lets a pod that is just being refused be tried
// again.
func (w *waiting) callNamespace(namespace string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moment++
	w.altered[namespaceKey(namespace)] = w.moment
	for _, l := range w.lines {
		if first := l.pods.Front(); first != nil && l.calls == 0 && first.Value.(*waiter).pod.Namespace == namespace {
			w.call(l, 1)
		}
	}
	w.arm()
}

// call has pods of a line woken soon; the caller holds the lock, here and below.
func (w *waiting) call(l *line, n int) {
	if l.calls == 0 && l.pods.Len() > 0 {
		w.due = append(w.due, l)
	}
	l.calls = min(l.calls+n, l.pods.Len())
}

// arm sees to it that who is called is woken soon.
func (w *waiting) arm() {
	if w.armed || len(w.due)+len(w.told) == 0 {
		return
	}
	w.armed = true
	pause := max(wakeGather, wakeGap-w.clock.Since(w.last))
	w.clock.AfterFunc(pause, func() { w.wake(w.take()) })
}

// take returns who is woken now: those of the highest priority first, then those that were called first.
func (w *waiting) take() map[string]*corev1.Pod {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last, w.armed = w.clock.Now(), false
	for pod, since := range w.awake {
		if w.last.Sub(since) > wakeLost {
			delete(w.awake, pod)
		}
	}
	w.heed()
	slices.SortStableFunc(w.due, func(a, b *line) int { return int(b.priority) - int(a.priority) })
	taken := map[string]*corev1.Pod{}
	var left []*line
	for i, l := range w.due {
		for l.calls > 0 && len(w.awake) < wakeBatch {
			pod := w.awaken(l)
			taken[pod.Namespace+"/"+pod.Name] = pod
		}
		if l.calls > 0 {
			left = append(left, w.due[i])
		}
	}
	w.due = left
	w.arm()
	return taken
}

func (w *waiting) awaken(l *line) *corev1.Pod {
	first := l.pods.Remove(l.pods.Front()).(*waiter)
	first.at = nil
	l.calls = min(l.calls-1, l.pods.Len())
	w.awake[first.pod.UID] = w.last
	return first.pod
}
