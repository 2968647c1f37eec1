package schedulerplugin

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/target"
)

// unplaced is a delegate of the source pod of this UID that the target's scheduler finds no node for.
func unplaced(source string, change ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.LabelSourceUID: source}},
		Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
			Reason: corev1.PodReasonUnschedulable, Message: "0/2 nodes are available: 2 Insufficient cpu."}}},
	}
	for _, do := range change {
		do(pod)
	}
	return pod
}

func TestNoMorePodsWaitForNodesThanMay(t *testing.T) {
	g := newGrowth()
	assert.True(t, g.take("a", 2))
	assert.True(t, g.take("a", 2), "a pod waits once")
	g.see(unplaced("from-before-a-restart"), true)
	assert.False(t, g.take("b", 2))
	assert.Equal(t, "2 pods wait there for new nodes already, and capacity.autoscaling.maxPendingPods is 2", g.full("b", 2))
	assert.Empty(t, g.full("a", 2), "it is one of them")
	g.see(unplaced("a"), true)
	assert.NotEmpty(t, g.full("b", 2))
	assert.Empty(t, g.full("b", 3), "a pod whose delegate is seen waiting counts once")

	assert.True(t, g.take("from-before-a-restart", 1), "what waits there already may go on")
	assert.True(t, g.release("from-before-a-restart"))
	assert.False(t, g.release("b"), "it never waited")
	placed := unplaced("from-before-a-restart", func(pod *corev1.Pod) { pod.Spec.NodeName = "new" })
	assert.True(t, g.see(placed, true), "its place is free")
	assert.False(t, g.see(placed, true), "once")
	assert.True(t, g.take("b", 2))
	g.see(unplaced("a"), false)
	g.release("a")
	assert.True(t, g.take("c", 2))
}

func TestWhereNodesAreNotWatchedTheTargetsSchedulerSaysThatNodesAreMissing(t *testing.T) {
	static := func(autoscaling *v1alpha1.Autoscaling) *room {
		spec := v1alpha1.TargetSpec{Capacity: v1alpha1.Capacity{From: v1alpha1.CapacityStatic, Autoscaling: autoscaling}}
		return &room{target: newTarget(t, spec, nil), growth: newGrowth()}
	}
	require.EqualError(t, static(nil).orWait("pod", "2 Insufficient cpu"), "2 Insufficient cpu")
	one := static(&v1alpha1.Autoscaling{MaxPendingPods: ptr.To[int32](1)})
	require.ErrorIs(t, one.orWait("pod", "2 Insufficient cpu"), errWaitsForNode)
	require.EqualError(t, one.orWait("next", "2 Insufficient cpu"), "2 Insufficient cpu")
}

func TestAwaitScheduledWaitsForANodeWhereItMay(t *testing.T) {
	states := make(chan target.Delegate, 1)
	states <- target.Delegate{Pod: unplaced("a", func(pod *corev1.Pod) { pod.Spec.NodeName = "new" })}
	said := ""
	require.NoError(t, awaitScheduled(t.Context(), states, unplaced("a"), func(reason string) error {
		said = reason
		return nil
	}))
	assert.Equal(t, "0/2 nodes are available: 2 Insufficient cpu.", said)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, awaitScheduled(ctx, states, unplaced("a"), func(string) error { return nil }), context.Canceled)
	require.EqualError(t, awaitScheduled(t.Context(), states, unplaced("a"), func(reason string) error { return errors.New("no") }), "no")
}

func TestWhatAnAutoscalerMayTakeHasDefaults(t *testing.T) {
	assert.EqualValues(t, 10, maxPendingPods(&v1alpha1.Autoscaling{}))
	assert.Equal(t, defaultGrowthTimeout, growthTimeout(&v1alpha1.Autoscaling{}))
	assert.Empty(t, newGrowth().full(types.UID("pod"), 1))
}
