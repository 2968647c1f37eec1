package target

import (
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// Delegate is one state of a delegate; Pod is nil when it was deleted.
type Delegate struct{ Pod *corev1.Pod }

// waiters are the binding cycles that wait for their delegate to be scheduled.
type waiters struct {
	mu       sync.Mutex
	channels map[types.UID]chan Delegate
}

func (w *waiters) watch(pods cache.SharedIndexInformer, isDelegate func(*corev1.Pod) bool) {
	tell := func(obj any, deleted bool) {
		pod, ok := obj.(*corev1.Pod)
		if !ok || !isDelegate(pod) {
			return
		}
		state := Delegate{Pod: pod}
		if deleted {
			state.Pod = nil
		}
		w.tell(types.UID(pod.Labels[v1alpha1.LabelSourceUID]), state)
	}
	_, _ = pods.AddEventHandler(cache.ResourceEventHandlerFuncs{ // fails only on a stopped informer
		AddFunc:    func(obj any) { tell(obj, false) },
		UpdateFunc: func(_, obj any) { tell(obj, false) },
		DeleteFunc: func(obj any) { tell(Untomb(obj), true) },
	})
}

func (w *waiters) add(uid types.UID) (<-chan Delegate, func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.channels == nil {
		w.channels = map[types.UID]chan Delegate{}
	}
	ch := make(chan Delegate, 1)
	w.channels[uid] = ch
	return ch, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.channels[uid] == ch {
			delete(w.channels, uid)
		}
	}
}

// tell replaces what the reader has not read yet, so that an informer never waits for a reader.
func (w *waiters) tell(uid types.UID, d Delegate) {
	if uid == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	ch, ok := w.channels[uid]
	if !ok {
		return
	}
	select {
	case <-ch:
	default:
	}
	ch <- d
}
