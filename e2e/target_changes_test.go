package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestATargetThatIsAddedGetsANodeAndTheNextPod(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly("spare"))
	s.createElected("waits")
	s.expectUnschedulable("waits", "target is not selected by the policy's targetSelector")

	target := s.givenSpare(func(spec *v1alpha1.TargetSpec) {
		priced("1m", "10")(spec)
		spec.Labels = map[string]string{corev1.LabelTopologyRegion: "north"}
	})

	s.expectRunningOn("waits", "spare")
	node, err := s.kube.CoreV1().Nodes().Get(t.Context(), v1alpha1.VirtualNodeName("spare"), metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, "north", node.Labels[corev1.LabelTopologyRegion])
	assert.Equal(t, "spare", node.Labels[v1alpha1.LabelTarget])
	assert.Equal(t, "64", node.Status.Allocatable.Cpu().String())
	assert.Equal(t, "256Gi", node.Status.Allocatable.Memory().String())
	assert.Contains(t, node.Spec.Taints, corev1.Taint{
		Key: v1alpha1.TaintProvider, Value: v1alpha1.TaintProviderValue, Effect: corev1.TaintEffectNoSchedule,
	})
	assert.Equal(t, corev1.ConditionTrue, nodeReady(node))
	assert.EqualValues(t, 2, target.Status.Nodes)
	assert.Equal(t, "GBP 0.001", target.Status.Signals.Price)
}

func TestAChangedTargetChangesTheNextChoiceAndNothingElse(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly("spare", "heata"))
	target := s.givenSpare(priced("1m", "10"))
	s.createElected("first")
	first := s.expectDelegate(spare, s.expectRunningOn("first", "spare"))

	s.changeTarget(target, priced("500m", "10"))
	s.createElected("dearer")
	s.expectRunningOn("dearer", "heata")

	s.changeTarget(target, priced("1m", "10"))
	s.createElected("cheaper")
	s.expectRunningOn("cheaper", "spare")

	s.changeTarget(target, func(spec *v1alpha1.TargetSpec) { spec.Unschedulable = true })
	s.expectTarget(target, v1alpha1.ConditionReady, metav1.ConditionFalse, "Unschedulable")
	s.createElected("cordoned")
	s.expectRunningOn("cordoned", "heata")

	s.changeTarget(target, func(spec *v1alpha1.TargetSpec) { spec.Unschedulable = false })
	s.createElected("uncordoned")
	s.expectRunningOn("uncordoned", "spare")

	s.expectRunningOn("first", "spare")
	assert.Equal(t, first.ResourceVersion, s.expectDelegate(spare, s.getPod("first")).ResourceVersion)
}

func TestARemovedTargetDrainsAndLeavesTheOthersAlone(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly("spare", "cloud"))
	target := s.givenSpare(priced("1m", "10"))
	s.createElected("bare")
	bare := s.expectRunningOn("bare", "spare")
	s.createDeployment("web", 3)
	s.expectAllRunning(4)
	s.createElected("elsewhere", targeting("cloud"))
	elsewhere := s.expectDelegate(cloud, s.expectRunningOn("elsewhere", "cloud"))

	require.NoError(t, s.client.Delete(t.Context(), target))

	s.expectGone(bare)
	expectEventually(t, late, "the Target to be gone", func(ctx context.Context) error { return s.isGone(ctx, target) })
	expectEventually(t, soon, "its virtual node to be gone", func(ctx context.Context) error {
		_, err := s.kube.CoreV1().Nodes().Get(ctx, v1alpha1.VirtualNodeName("spare"), metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it is there: %w", err)
	})
	for _, pod := range s.expectAllRunning(4) {
		assert.True(t, onTarget(&pod, "cloud"), describe(&pod))
	}
	left, err := s.delegates(t.Context(), spare)
	require.NoError(t, err)
	assert.Empty(t, left)
	assert.Equal(t, elsewhere.ResourceVersion, s.expectDelegate(cloud, s.getPod("elsewhere")).ResourceVersion)
}

// targeting sends a pod to one target, by its virtual node's label.
func targeting(name string) change {
	return func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
		spec.NodeSelector = map[string]string{v1alpha1.LabelTarget: name}
	}
}

func nodeReady(node *corev1.Node) corev1.ConditionStatus {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status
		}
	}
	return corev1.ConditionUnknown
}
