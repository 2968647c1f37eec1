package schedulerplugin

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
)

// sends are the pods on their way to a target: from Reserve until they are bound, or until their place was given back. A
// crash now may leave a delegate of theirs there.
type sends struct {
	mu    sync.Mutex
	byPod map[types.UID]string // the target
}

func newSends() *sends { return &sends{byPod: map[types.UID]string{}} }

func (s *sends) begin(pod types.UID, target string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byPod[pod] = target
}

func (s *sends) end(pod types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byPod, pod)
}

// to tells whether any is on its way to the target.
func (s *sends) to(target string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range s.byPod {
		if name == target {
			return true
		}
	}
	return false
}

func (s *sends) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byPod)
}

// Drain returns when no pod is on its way any more. A process that stops before that leaves delegates of pods that are not
// bound; one that lets the next one lead before that may take back what the next one has adopted.
func (p *Plugin) Drain(ctx context.Context) error {
	err := wait.PollUntilContextCancel(ctx, 20*time.Millisecond, true, func(context.Context) (bool, error) {
		return p.sends.count() == 0, nil
	})
	if err != nil {
		return fmt.Errorf("stopped with %d pods on their way to a target: %w", p.sends.count(), err)
	}
	return nil
}

// Unsettled tells whether a target may hold a delegate that nothing in the source cluster tells of: of a pod that is on
// its way, or that is fenced without a mark.
func (p *Plugin) Unsettled(target string) bool {
	return p.sends.to(target) || p.fences.unmarked(target)
}
