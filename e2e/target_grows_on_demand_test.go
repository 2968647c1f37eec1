package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestAPodWaitsInATargetThatGrowsForItsNode(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly("spare", "cloud"))
	pool := uniqueName("pool")
	s.givenSpare(growing(pool, 1, time.Minute))

	s.createElected("fits-elsewhere", requesting("1", ""))
	s.expectRunningOn("fits-elsewhere", cloud.name) // dearer, but there is room now

	s.createElected("waits", requesting("30", "")) // more than any node of cloud
	pod := s.getPod("waits")
	s.expectUnplaced(pod)
	s.createElected("one-too-many", requesting("30", ""))
	s.expectUnschedulable("one-too-many", "spare: 2 node(s) didn't match Pod's node affinity/selector; 1 pods wait there for new nodes already, and capacity.autoscaling.maxPendingPods is 1")
	assert.Empty(t, s.getPod("waits").Spec.NodeName)

	s.givenNode(pool) // what an autoscaler does

	s.expectRunningOn("waits", "spare")
	placed := s.record("waits")
	for _, place := range placed.Places {
		assert.Equal(t, place.Name == "spare", place.Growing, place.Name)
	}
	s.expectUnplaced(s.getPod("one-too-many")) // its turn

	s.givenNode(pool)

	s.expectRunningOn("one-too-many", "spare")
}

func TestAPodForWhichATargetMakesNoNodeIsTakenBackInTime(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly("spare"))
	s.givenSpare(growing(uniqueName("pool"), 2, 5*time.Second))

	s.createElected("waits", requesting("30", ""))
	s.createElected("deleted", requesting("30", ""))
	deleted := s.getPod("deleted")
	s.expectUnplaced(s.getPod("waits"))
	s.expectUnplaced(deleted)
	s.deletePod("deleted", nil)

	s.expectNoDelegates(deleted)
	s.expectUnschedulable("waits", "spare: refused it", "made no node for the delegate within 5s (capacity.autoscaling.timeout)")
	s.expectNoDelegates(s.getPod("waits"))
}

// growing makes of spare a target that has no nodes but those that the scenario gives it.
func growing(pool string, pods int32, timeout time.Duration) func(*v1alpha1.TargetSpec) {
	return func(spec *v1alpha1.TargetSpec) {
		priced("1m", "10")(spec)
		spec.NodeSelector = map[string]string{"pool": pool}
		spec.Capacity = v1alpha1.Capacity{From: v1alpha1.CapacityNodes,
			Autoscaling: &v1alpha1.Autoscaling{MaxPendingPods: ptr.To(pods), Timeout: &metav1.Duration{Duration: timeout}}}
	}
}

// expectUnplaced waits until a pod's delegate in spare has no node.
func (s *space) expectUnplaced(pod *corev1.Pod) {
	s.t.Helper()
	expectEventually(s.t, late, "a delegate that waits for a node", func(ctx context.Context) error {
		found, err := s.delegates(ctx, spare)
		if err != nil {
			return err
		}
		if len(found[pod.UID]) != 1 {
			return fmt.Errorf("%d delegates of %s; %s", len(found[pod.UID]), pod.Name, describe(s.getPod(pod.Name)))
		}
		if !podConditionIs(&found[pod.UID][0], corev1.PodScheduled, corev1.ConditionFalse) {
			return fmt.Errorf("it is not unschedulable")
		}
		return nil
	})
}

// givenNode adds a node to spare, for as long as the scenario runs.
func (s *space) givenNode(pool string) {
	s.t.Helper()
	name := uniqueName("grown")
	room := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("32"), corev1.ResourceMemory: resource.MustParse("64Gi"), corev1.ResourcePods: resource.MustParse("110")}
	_, err := spare.kube.CoreV1().Nodes().Create(s.t.Context(), &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"},
			Labels: map[string]string{"pool": pool, "type": "kwok", corev1.LabelHostname: name, corev1.LabelOSStable: "linux"}},
		Status: corev1.NodeStatus{Capacity: room, Allocatable: room},
	}, metav1.CreateOptions{})
	require.NoError(s.t, err)
	s.t.Cleanup(func() {
		require.NoError(s.t, spare.kube.CoreV1().Nodes().Delete(context.Background(), name, metav1.DeleteOptions{}))
	})
}
