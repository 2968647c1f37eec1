package schedulerplugin

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

type onePolicy struct{ *placement.Policy }

func (p onePolicy) For(*corev1.Pod) (*placement.Policy, error) { return p.Policy, nil }

func important(p *corev1.Pod) { p.Spec.Priority = new(int32(1000)) }

func preemptingPlugin(t *testing.T, order v1alpha1.PreemptionOrder) *Plugin {
	t.Helper()
	p, _ := newPlugin(t, map[string]labels.Set{"shop": {v1alpha1.LabelBurst: v1alpha1.BurstEnabled}})
	policy, err := placement.Compile("test", v1alpha1.PlacementPolicySpec{Preemption: order})
	require.NoError(t, err)
	p.Policies = onePolicy{policy}
	return p
}

// begin is a cycle's PreFilter.
func begin(t *testing.T, p *Plugin, pod *corev1.Pod) fwk.CycleState {
	t.Helper()
	state := framework.NewCycleState()
	_, status := p.PreFilter(t.Context(), state, pod, nil)
	require.True(t, status.IsSuccess(), "%v", status)
	return state
}

func mayBurst(t *testing.T, state fwk.CycleState) bool {
	t.Helper()
	c, err := cycleOf(state)
	require.NoError(t, err)
	return c.localOnly == ""
}

func TestWhoPreemptsBeforeItBursts(t *testing.T) {
	tests := map[string]struct {
		order v1alpha1.PreemptionOrder
		pod   []func(*corev1.Pod)
		want  bool // it may burst at once
	}{
		"by default nobody":                  {order: v1alpha1.PreemptAfterBurst, pod: []func(*corev1.Pod){important}, want: true},
		"by the policy, a pod of a priority": {order: v1alpha1.PreemptBeforeBurst, pod: []func(*corev1.Pod){important}},
		"a pod without one does not":         {order: v1alpha1.PreemptBeforeBurst, want: true},
		"a pod of priority 0 does not": {order: v1alpha1.PreemptBeforeBurst, want: true,
			pod: []func(*corev1.Pod){func(p *corev1.Pod) { p.Spec.Priority = new(int32) }}},
		"a pod that never preempts does not": {order: v1alpha1.PreemptBeforeBurst, want: true,
			pod: []func(*corev1.Pod){important, func(p *corev1.Pod) { p.Spec.PreemptionPolicy = new(corev1.PreemptNever) }}},
		"a pod that may not leave anyway does not": {order: v1alpha1.PreemptBeforeBurst, want: true,
			pod: []func(*corev1.Pod){important, func(p *corev1.Pod) { p.Annotations = nil }}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := preemptingPlugin(t, test.order)
			pod := electedPod(test.pod...)
			assert.Equal(t, test.want, mayBurst(t, begin(t, p, pod)))
		})
	}
}

func TestAPodWhoseDelegateIsSomewhereHasBurstAlready(t *testing.T) {
	p, pod := preemptingPlugin(t, v1alpha1.PreemptBeforeBurst), electedPod(important)
	policy, err := p.Policies.For(pod)
	require.NoError(t, err)
	assert.True(t, p.preemptsFirst(policy, pod, ""))
	assert.False(t, p.preemptsFirst(policy, pod, "spillway-cloud"))
}

func TestAPodThatFindsNobodyToEvictBurstsInItsNextCycleOnly(t *testing.T) {
	p, pod := preemptingPlugin(t, v1alpha1.PreemptBeforeBurst), electedPod(important)

	first := begin(t, p, pod)
	require.False(t, mayBurst(t, first))
	assert.False(t, p.BurstsNext(pod), "before preemption has been tried")
	p.NobodyToEvict(first, pod)
	assert.True(t, p.BurstsNext(pod))

	second := begin(t, p, pod)
	require.True(t, mayBurst(t, second))
	p.NobodyToEvict(second, pod)
	assert.False(t, p.BurstsNext(pod), "or a pod that fits nowhere would be tried without end")

	assert.False(t, mayBurst(t, begin(t, p, pod)), "by now there may be somebody")
}

func TestAPodThatMayBurstNextIsNotRememberedForEver(t *testing.T) {
	p, clock := newPlugin(t, nil)
	p.cleared.add("deleted")
	clock.SetTime(noon.Add(clearedKept + time.Second))
	p.cleared.add("another")
	assert.False(t, p.cleared.has("deleted"))
	assert.True(t, p.cleared.has("another"))
}

func TestPreemptionsWhatIfDoesNotBurst(t *testing.T) {
	p, pod := preemptingPlugin(t, v1alpha1.PreemptBeforeBurst), electedPod(important)
	assert.False(t, mayBurst(t, begin(t, p, pod).Clone()))
}
