package schedulerplugin

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/spillway-dev/spillway/pkg/target"
)

const (
	// liftPause is the first pause between two attempts to take a delegate back; each next one is twice as long.
	liftPause    = time.Second
	liftPauseMax = time.Minute
)

// fences hold the pods back whose delegate could not be taken back: elsewhere such a pod might run twice.
type fences struct {
	mu    sync.Mutex
	byPod map[types.UID]*fence
}

type fence struct {
	target string
	marked bool // the pod says so, for the process after this one
}

func newFences() *fences { return &fences{byPod: map[types.UID]*fence{}} }

// set fences a pod; false when it is fenced already.
func (f *fences) set(pod types.UID, target string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byPod[pod] != nil {
		return false
	}
	f.byPod[pod] = &fence{target: target}
	return true
}

// get returns the target that may have a delegate of the pod; "" when the pod is free.
func (f *fences) get(pod types.UID) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if found := f.byPod[pod]; found != nil {
		return found.target
	}
	return ""
}

func (f *fences) mark(pod types.UID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if found := f.byPod[pod]; found != nil {
		found.marked = true
	}
}

func (f *fences) marked(pod types.UID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := f.byPod[pod]
	return found != nil && found.marked
}

func (f *fences) unmarked(target string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, found := range f.byPod {
		if found.target == target && !found.marked {
			return true
		}
	}
	return false
}

func (f *fences) drop(pod types.UID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.byPod, pod)
}

// Marked tells whether a pod says of itself that it may have a delegate that nobody could confirm gone.
func (p *Plugin) Marked(pod types.UID) bool { return p.fences.marked(pod) }

// giveUp takes back, off the scheduling cycle, a delegate that its pod will not be bound to.
func (p *Plugin) giveUp(t *target.Target, pod, existing *corev1.Pod) {
	if p.fences.set(pod.UID, t.Name()) {
		go p.lift(context.Background(), t, pod, existing)
	}
}

// lift takes the delegate back as soon as its target lets it, and only then lets the pod go on. It never gives up.
func (p *Plugin) lift(ctx context.Context, t *target.Target, pod, created *corev1.Pod) {
	for pause := liftPause; ; pause = min(2*pause, liftPauseMax) {
		t = p.connection(t)
		if takeBack(ctx, t, created) == nil {
			break
		}
		p.markFence(ctx, t, pod)
		time.Sleep(pause)
		for waited := pause; waited < liftPauseMax && !p.connection(t).Health().Reachable; waited += liftPause {
			time.Sleep(liftPause) // what is known to be out of reach is seldom asked, and at once when it is back
		}
	}
	if p.fences.marked(pod.UID) {
		p.unmark(ctx, pod, t.Name())
	}
	p.fences.drop(pod.UID)
	klog.FromContext(ctx).Info("took delegate back", "pod", klog.KObj(pod), "target", t.Name())
	p.activate(map[string]*corev1.Pod{pod.Namespace + "/" + pod.Name: pod})
}

// markFence writes on the pod that it is fenced. A process that starts while the target cannot be asked has only that.
func (p *Plugin) markFence(ctx context.Context, t *target.Target, pod *corev1.Pod) {
	if p.fences.marked(pod.UID) {
		return
	}
	if err := p.mark(ctx, pod, t.Name(), corev1.ConditionTrue); err != nil {
		klog.FromContext(ctx).Error(err, "pod could not be marked", "pod", klog.KObj(pod), "target", t.Name())
		return
	}
	p.fences.mark(pod.UID)
}

// connection is the target's present one: its kubeconfig may have changed since.
func (p *Plugin) connection(t *target.Target) *target.Target {
	if now := p.Registry.Get(t.Name()); now != nil {
		return now
	}
	return t
}
