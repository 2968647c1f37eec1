package schedulerplugin

import (
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"

	"github.com/spillway-dev/spillway/pkg/target"
)

// wakeDelay gathers a burst of changes in a target into one waking of the pods that wait.
const wakeDelay = 200 * time.Millisecond

// waiting are the pods that some place refused, to be tried again when a target's room grows. The scheduler's own events
// only tell of the source cluster.
type waiting struct {
	clock clock.PassiveClock
	mu    sync.Mutex
	pods  map[types.UID]*corev1.Pod
	timer *time.Timer
}

func newWaiting(c clock.PassiveClock) *waiting {
	return &waiting{clock: c, pods: map[types.UID]*corev1.Pod{}}
}

func (w *waiting) add(pod *corev1.Pod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pods[pod.UID] = pod
}

func (w *waiting) remove(uid types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.pods, uid)
}

// watch wakes the pods when something in a target grows: a node comes or changes, a pod ends.
func (w *waiting) watch(t *target.Target, wake func(map[string]*corev1.Pod)) {
	grown := func() { w.schedule(wake) }
	_, _ = t.Pods().AddEventHandler(cache.ResourceEventHandlerFuncs{ // fails only on a stopped informer
		UpdateFunc: func(old, obj any) {
			was, is := old.(*corev1.Pod), obj.(*corev1.Pod)
			if was.Status.Phase != is.Status.Phase && (is.Status.Phase == corev1.PodSucceeded || is.Status.Phase == corev1.PodFailed) {
				grown()
			}
		},
		DeleteFunc: func(any) { grown() },
	})
	for _, i := range []cache.SharedIndexInformer{t.Nodes(), t.Quotas()} {
		if i != nil {
			_, _ = i.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: func(any) { grown() }, UpdateFunc: func(old, obj any) {
				if target.RoomChanged(old, obj) {
					grown()
				}
			}})
		}
	}
}

func (w *waiting) schedule(wake func(map[string]*corev1.Pod)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.pods) == 0 || w.timer != nil {
		return
	}
	w.timer = time.AfterFunc(wakeDelay, func() { wake(w.take()) })
}

// take empties the list: a pod that is refused again comes back by itself, one that was deleted does not.
func (w *waiting) take() map[string]*corev1.Pod {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := make(map[string]*corev1.Pod, len(w.pods))
	for pod := range maps.Values(w.pods) {
		taken[pod.Namespace+"/"+pod.Name] = pod
	}
	w.pods, w.timer = map[types.UID]*corev1.Pod{}, nil
	return taken
}
