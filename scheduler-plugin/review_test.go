package schedulerplugin

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/labels"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

// begun is a cycle that only asks; of the scheduler's own when w is nil.
func begun(w *WhatIf) fwk.CycleState {
	state := framework.NewCycleState()
	if w != nil {
		w.Begin(state)
	}
	return state
}

func TestAQuestionLeavesNoPodToBeWoken(t *testing.T) {
	p, _ := newPlugin(t, nil)
	p.Policies = policySource{err: errors.New("no such policy")}

	_, status := p.PreFilter(t.Context(), begun(&WhatIf{}), electedPod(), nil)
	assert.True(t, status.IsRejected())
	assert.Empty(t, p.waiting.byPod)

	_, status = p.PreFilter(t.Context(), begun(nil), electedPod(), nil)
	assert.True(t, status.IsRejected())
	assert.Len(t, p.waiting.byPod, 1)
}

func TestAPodLookedAtAnewIsTiedToNothing(t *testing.T) {
	p, _ := newPlugin(t, map[string]labels.Set{"shop": {v1alpha1.LabelBurst: v1alpha1.BurstEnabled}})
	p.fences.set("uid-1", "cloud")

	_, status := p.PreFilter(t.Context(), begun(&WhatIf{}), electedPod(), nil)
	assert.True(t, status.IsRejected(), "a pending pod waits for its target, and so does the answer")
	_, status = p.PreFilter(t.Context(), begun(&WhatIf{Anew: true}), electedPod(), nil)
	assert.True(t, status.IsSuccess(), status.Message())
}

func TestWhatIsSupposedOfThePolicyHoldsForTheCycleOnly(t *testing.T) {
	p, _ := newPlugin(t, map[string]labels.Set{"shop": {v1alpha1.LabelBurst: v1alpha1.BurstEnabled}})
	own, err := p.Policies.For(electedPod())
	require.NoError(t, err)
	greenest := &placement.Policy{Name: "greenest", Weights: v1alpha1.Weights{Carbon: 1}}
	tests := map[string]struct {
		whatIf *WhatIf
		want   placement.Policy
	}{
		"nothing":               {nil, *own},
		"a policy":              {&WhatIf{Policy: greenest}, *greenest},
		"weights of the policy": {&WhatIf{Policy: greenest, Weights: &v1alpha1.Weights{Cost: 2}}, placement.Policy{Name: "greenest", Weights: v1alpha1.Weights{Cost: 2}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			state := begun(test.whatIf)
			_, status := p.PreFilter(t.Context(), state, electedPod(), nil)
			require.True(t, status.IsSuccess(), status.Message())
			c, err := cycleOf(state)
			require.NoError(t, err)
			assert.Equal(t, test.want, *c.policy)
		})
	}
	assert.Equal(t, v1alpha1.Weights{Carbon: 1}, greenest.Weights)
}

func TestTheReviewersFrameworkRefusesACycleThatIsNoReview(t *testing.T) {
	p, _ := newPlugin(t, nil)
	r, err := p.ReviewFactory(t.Context(), nil, nil)
	require.NoError(t, err)
	_, status := r.(*reviewer).PreFilter(t.Context(), begun(nil), electedPod(), nil)
	require.ErrorIs(t, status.AsError(), errNotAReview)
	assert.NotNil(t, p.handle, "the scheduler's own is kept")
}
