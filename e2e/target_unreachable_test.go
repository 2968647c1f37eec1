package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestAnUnreachableTargetIsSaidToBePodsGoElsewhereAndItComesBack(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly("spare", "cloud"))
	target := s.givenSpare(priced("1m", "10"))
	s.createElected("before", targeting("spare")) // only: a busy cluster may take long to make a new namespace's service account
	before := s.expectDelegate(spare, s.expectRunningOn("before", "spare"))

	stopAPIServer(t, spare)

	s.expectTarget(target, v1alpha1.ConditionReachable, metav1.ConditionFalse, "Unreachable")
	s.expectTarget(target, v1alpha1.ConditionReady, metav1.ConditionFalse, "Unreachable")
	s.expectNode("spare", corev1.ConditionFalse)
	s.createElected("meanwhile")
	s.expectRunningOn("meanwhile", "cloud")
	s.createElected("waits", targeting("spare"))
	s.expectUnschedulable("waits", "spare: target unreachable: ", "check the kubeconfig's server, the network, and whether the cluster runs")

	startAPIServer(t, spare)

	s.expectTarget(target, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	s.expectNode("spare", corev1.ConditionTrue)
	// The cluster's own scheduler takes its time to notice that its API server is back.
	expectEventually(t, 2*late, "all to run", s.allRunning(3))
	s.expectRunningOn("waits", "spare")
	s.expectRunningOn("before", "spare")
	assert.Equal(t, before.UID, s.expectDelegate(spare, s.getPod("before")).UID)
}

func TestAPodForceDeletedWhileItsTargetIsUnreachableIsCollectedWhenItIsBack(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly("spare"))
	target := s.givenSpare(nil)
	s.createElected("forced")
	pod := s.expectRunningOn("forced", "spare")

	stopAPIServer(t, spare)
	s.expectTarget(target, v1alpha1.ConditionReachable, metav1.ConditionFalse, "Unreachable")
	now := int64(0)
	s.deletePod("forced", &now)
	s.expectGone(pod)
	startAPIServer(t, spare)

	s.expectNoDelegates(pod)
}

// stopAPIServer makes a cluster unreachable, until startAPIServer or the scenario's end.
func stopAPIServer(t *testing.T, of *cluster) {
	t.Helper()
	require.NoError(t, clusters.Stop(t.Context(), of.name, "kube-apiserver"))
	t.Cleanup(func() { require.NoError(t, clusters.Start(context.Background(), of.name, "kube-apiserver")) })
}

func startAPIServer(t *testing.T, of *cluster) {
	t.Helper()
	require.NoError(t, clusters.Start(t.Context(), of.name, "kube-apiserver"))
}

// expectNode waits until a target's virtual node has this Ready condition.
func (s *space) expectNode(target string, want corev1.ConditionStatus) {
	s.t.Helper()
	expectEventually(s.t, late, fmt.Sprintf("virtual node of %s to be Ready=%s", target, want), func(ctx context.Context) error {
		node, err := s.kube.CoreV1().Nodes().Get(ctx, v1alpha1.VirtualNodeName(target), metav1.GetOptions{})
		if err == nil && nodeReady(node) != want {
			err = fmt.Errorf("conditions %+v", node.Status.Conditions)
		}
		return err
	})
}
