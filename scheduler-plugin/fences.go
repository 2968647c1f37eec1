package schedulerplugin

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// fences tie pods to the one target that may still have a delegate of theirs, which could not be taken back: elsewhere such
// a pod might run twice.
type fences struct {
	mu    sync.Mutex
	byPod map[types.UID]string // the virtual node
}

func newFences() *fences { return &fences{byPod: map[types.UID]string{}} }

func (f *fences) set(pod types.UID, node string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.byPod[pod] = node
}

// get returns the only virtual node that the pod may go to; "" when it is free.
func (f *fences) get(pod types.UID) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.byPod[pod]
}

func (f *fences) drop(pod types.UID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.byPod, pod)
}
