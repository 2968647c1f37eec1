package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

func TestADeletedPodTakesItsDelegateAlong(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(cloud.name))
	s.createElected("leaves")
	s.createElected("stays")
	leaves, stays := s.expectRunningOn("leaves", cloud.name), s.expectRunningOn("stays", cloud.name)

	s.deletePod("leaves", nil)

	s.expectGone(leaves)
	s.expectNoDelegates(leaves)
	assert.Equal(t, stays.ResourceVersion, s.getPod("stays").ResourceVersion, "the other pod is not even written to")
}

func TestAForceDeletedPodsDelegateIsCollected(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(cloud.name))
	s.createElected("forced")
	pod := s.expectRunningOn("forced", cloud.name)
	s.expectDelegate(cloud, pod)

	s.deletePod("forced", ptr.To[int64](0))

	s.expectGone(pod)
	s.expectNoDelegates(pod)
}

func TestAPodDeletedWhileItWaitsLeavesNothing(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.createElected("waits", requesting("10", ""))
	pod := s.expectUnschedulable("waits", "Insufficient cpu")

	s.deletePod("waits", nil)

	s.expectGone(pod)
	s.expectNoDelegates()
}

func TestAPodsNameCanBeUsedAgainAtOnce(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(cloud.name))
	s.createElected("again")
	first := s.expectRunningOn("again", cloud.name)

	s.deletePod("again", ptr.To[int64](0))
	s.createElected("again")

	second := s.expectRunningOn("again", cloud.name)
	assert.NotEqual(t, first.UID, second.UID)
	s.expectNoDelegates(first)
	s.expectDelegate(cloud, second)
}

func TestAPodWithAFinalizerWaitsForItAndItsDelegateDoesNot(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(cloud.name))
	s.createElected("held", func(meta *metav1.ObjectMeta, _ *corev1.PodSpec) { meta.Finalizers = []string{"example.com/hold"} })
	pod := s.expectRunningOn("held", cloud.name)

	s.deletePod("held", nil)

	s.expectNoDelegates(pod)
	held := s.expectPod("held", "have ended", func(pod *corev1.Pod) bool { return pod.Status.Phase == corev1.PodFailed })
	assert.NotNil(t, held.DeletionTimestamp)
	_, err := s.kube.CoreV1().Pods(s.name).Patch(t.Context(), "held", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	s.expectGone(pod)
}
