package schedulerplugin

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/utils/clock"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

// clearedKept is how long a pod that may burst now is remembered, in case it is deleted before its next cycle.
const clearedKept = time.Minute

// cleared are the pods for which preemption was tried first, as their policy says, and found nobody to evict: their next
// cycle may burst. It holds for one cycle, because later there may be somebody.
type cleared struct {
	clock clock.PassiveClock
	mu    sync.Mutex
	pods  map[types.UID]time.Time
}

func newCleared(c clock.PassiveClock) *cleared {
	return &cleared{clock: c, pods: map[types.UID]time.Time{}}
}

func (c *cleared) add(pod types.UID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock.Now()
	for uid, at := range c.pods {
		if now.Sub(at) > clearedKept {
			delete(c.pods, uid)
		}
	}
	c.pods[pod] = now
}

func (c *cleared) has(pod types.UID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.pods[pod]
	return ok
}

// take uses it up.
func (c *cleared) take(pod types.UID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.pods[pod]
	delete(c.pods, pod)
	return ok
}

// preemptsFirst tells whether a pod has to look for local pods to evict before it may burst. A pod whose delegate exists
// has burst already.
func (p *Plugin) preemptsFirst(policy *placement.Policy, pod *corev1.Pod, fence string) bool {
	never := pod.Spec.PreemptionPolicy != nil && *pod.Spec.PreemptionPolicy == corev1.PreemptNever
	return policy.Preemption == v1alpha1.PreemptBeforeBurst && corev1helpers.PodPriority(pod) > 0 && !never && fence == "" &&
		!p.cleared.take(pod.UID)
}

// NobodyToEvict is told when preemption has found nobody to evict for a pod in this cycle.
func (p *Plugin) NobodyToEvict(state fwk.CycleState, pod *corev1.Pod) {
	if c, err := cycleOf(state); err == nil && c.localOnly != "" {
		p.cleared.add(pod.UID)
	}
}

// BurstsNext tells whether the pod's last cycle only asked whom it may evict, and found nobody.
func (p *Plugin) BurstsNext(pod *corev1.Pod) bool { return p.cleared.has(pod.UID) }
