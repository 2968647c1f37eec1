package schedulerplugin

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// gateKept is how long a target's yes to a shape is remembered after the last pod that made use of it.
const gateKept = 10 * time.Minute

// gates let one pod of a shape ask a target first, while the others of that shape that come with it wait: of a thousand
// pods that the target refuses, it sees one. Once it has taken one, the others ask side by side.
type gates struct {
	clock clock.PassiveClock
	mu    sync.Mutex
	byKey map[gateKey]*gate
	swept time.Time
}

type gateKey struct {
	shape  shape
	target string
}

type gate struct {
	open   bool
	answer chan struct{} // closed when the one that asks has its answer; nil while none asks
	used   time.Time
}

func newGates(c clock.PassiveClock) *gates {
	return &gates{clock: c, byKey: map[gateKey]*gate{}, swept: c.Now()}
}

// enter returns when the pod may ask, with what to call when it has its answer: whether the target took the pod, and
// whether others may follow side by side. refused is asked each time another pod has its answer; its error ends the wait.
func (g *gates) enter(ctx context.Context, key gateKey, refused func() error) (leave func(taken, abreast bool), err error) {
	for {
		if err := refused(); err != nil {
			return nil, err
		}
		leave, wait := g.try(key)
		if leave != nil {
			return leave, nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, &errRemembered{reason: fmt.Sprintf(reasonInLine, context.Cause(ctx))}
		}
	}
}

func (g *gates) try(key gateKey) (leave func(taken, abreast bool), wait <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	found := g.find(key)
	switch {
	case found.open:
		return func(taken, _ bool) { g.close(found, taken) }, nil
	case found.answer != nil:
		return nil, found.answer
	}
	found.answer = make(chan struct{})
	return func(taken, abreast bool) {
		g.mu.Lock()
		defer g.mu.Unlock()
		found.open = taken && abreast
		close(found.answer)
		found.answer = nil
	}, nil
}

// close makes the next one ask alone again, unless the target took this one.
func (g *gates) close(found *gate, taken bool) {
	if !taken {
		g.mu.Lock()
		defer g.mu.Unlock()
		found.open = false
	}
}

// find also drops, now and then, what has not been used for long.
func (g *gates) find(key gateKey) *gate {
	now := g.clock.Now()
	if now.Sub(g.swept) > gateKept {
		g.swept = now
		for old, unused := range g.byKey {
			if unused.answer == nil && now.Sub(unused.used) > gateKept {
				delete(g.byKey, old)
			}
		}
	}
	found := g.byKey[key]
	if found == nil {
		found = &gate{}
		g.byKey[key] = found
	}
	found.used = now
	return found
}

// dropTarget forgets a target that is another now, or gone.
func (g *gates) dropTarget(target string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for key, found := range g.byKey {
		if key.target == target && found.answer == nil {
			delete(g.byKey, key)
		}
	}
}
