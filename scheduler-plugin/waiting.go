package schedulerplugin

import (
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/spillway-dev/spillway/pkg/target"
)

const (
	// wakeDelay gathers a burst of changes in a target into one waking of the pods that wait.
	wakeDelay = 200 * time.Millisecond
	// wakeBatch pods at most are woken at once: thousands that still fit nowhere must not keep a new pod that fits waiting.
	wakeBatch = 256
)

// waiting are the pods that some place refused, to be tried again when a target's room grows. The scheduler's own events
// only tell of the source cluster.
type waiting struct {
	wake func(pods map[string]*corev1.Pod) // by namespace/name

	mu      sync.Mutex
	growths int64                     // how often some target's room grew
	pods    map[types.UID]*corev1.Pod // refused since the last growth
	due     map[types.UID]*corev1.Pod // to be woken for the last growth
	timer   *time.Timer
}

func newWaiting(wake func(map[string]*corev1.Pod)) *waiting {
	return &waiting{wake: wake, pods: map[types.UID]*corev1.Pod{}, due: map[types.UID]*corev1.Pod{}}
}

// now is the number of growths, for add to tell whether one was missed.
func (w *waiting) now() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.growths
}

// add keeps a pod that was refused by what was seen when there had been this many growths. If there has been another
// meanwhile, the pod is due at once: it may have been refused by what is no longer so.
func (w *waiting) add(pod *corev1.Pod, seen int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.growths == seen {
		w.pods[pod.UID] = pod
		return
	}
	w.due[pod.UID] = pod
	w.arm()
}

func (w *waiting) remove(uid types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.pods, uid)
	delete(w.due, uid)
}

// watch notices when something in a target grows: a node comes or changes, a pod ends.
func (w *waiting) watch(t *target.Target) {
	_, _ = t.Pods().AddEventHandler(cache.ResourceEventHandlerFuncs{ // fails only on a stopped informer
		UpdateFunc: func(old, obj any) {
			if was, is := old.(*corev1.Pod), obj.(*corev1.Pod); !ended(was) && ended(is) {
				w.grown()
			}
		},
		DeleteFunc: func(any) { w.grown() },
	})
	for _, i := range []cache.SharedIndexInformer{t.Nodes(), t.Quotas()} {
		if i != nil {
			_, _ = i.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: func(any) { w.grown() }, UpdateFunc: func(old, obj any) {
				if target.RoomChanged(old, obj) {
					w.grown()
				}
			}})
		}
	}
}

// Reconsider wakes the pods that wait, because something that a place was judged by has changed: a price, a policy.
func (p *Plugin) Reconsider() { p.waiting.grown() }

// grown makes all that wait due.
func (w *waiting) grown() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.growths++
	maps.Copy(w.due, w.pods)
	clear(w.pods)
	w.arm()
}

// arm sees to it that what is due is woken soon.
func (w *waiting) arm() {
	if len(w.due) > 0 && w.timer == nil {
		w.timer = time.AfterFunc(wakeDelay, func() { w.wake(w.take()) })
	}
}

// take returns the next batch. A pod that is refused again comes back by itself and waits for the next growth; one that
// was deleted does not.
func (w *waiting) take() map[string]*corev1.Pod {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := map[string]*corev1.Pod{}
	for uid, pod := range w.due {
		if len(taken) == wakeBatch {
			break
		}
		taken[pod.Namespace+"/"+pod.Name] = pod
		delete(w.due, uid)
	}
	w.timer = nil
	w.arm()
	return taken
}

func ended(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}
