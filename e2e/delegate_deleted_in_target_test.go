package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/delegate"
)

func TestAPodWhoseDelegateTheTargetDeletesHasFailedAndSaysSo(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(heata.name))
	s.createElected("lost")
	pod := s.expectRunningOn("lost", heata.name)

	s.deleteDelegate(heata, pod)

	s.expectLost("lost")
}

func TestAJobReplacesAPodWhoseDelegateTheTargetDeletes(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(heata.name))
	job := s.createJob("render", 1, runningFor(8*time.Second))
	pod := &s.expectAllRunning(1)[0]

	s.deleteDelegate(heata, pod)

	// The Job has a backoffLimit of 0: only the condition DisruptionTarget keeps the loss from failing it.
	done := s.expectJobComplete(job.Name)
	assert.EqualValues(t, 1, done.Status.Succeeded)
	pods, err := s.list(t.Context())
	require.NoError(t, err)
	assert.Condition(t, func() bool {
		for _, now := range pods {
			if now.UID != pod.UID && now.Status.Phase == corev1.PodSucceeded {
				return true
			}
		}
		return false
	}, "another pod has succeeded")
}

func TestADeploymentReplacesAPodWhoseDelegateTheTargetDeletes(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(heata.name))
	s.createDeployment("web", 1)
	pod := &s.expectAllRunning(1)[0]

	s.deleteDelegate(heata, pod)

	expectEventually(t, soon, "another pod to run", func(ctx context.Context) error {
		pods, err := s.list(ctx)
		for i := range pods {
			if pods[i].UID != pod.UID && running(&pods[i]) {
				return nil
			}
		}
		return fmt.Errorf("%d pods, %w", len(pods), err)
	})
}

// deleteDelegate does what somebody with rights in the target may do at any time.
func (s *space) deleteDelegate(in *cluster, pod *corev1.Pod) {
	s.t.Helper()
	deleted := s.expectDelegate(in, pod)
	require.NoError(s.t, in.kube.CoreV1().Pods(deleted.Namespace).Delete(s.t.Context(), deleted.Name, metav1.DeleteOptions{}))
}

func (s *space) expectLost(name string) {
	s.t.Helper()
	pod := s.expectPod(name, "failed", func(pod *corev1.Pod) bool { return pod.Status.Phase == corev1.PodFailed })
	assert.Equal(s.t, delegate.ReasonDelegateDeleted, pod.Status.Reason)
	assert.Contains(s.t, pod.Status.Message, "target heata deleted the delegate")
	disruption := podCondition(pod, corev1.DisruptionTarget)
	require.NotNil(s.t, disruption)
	assert.Equal(s.t, corev1.ConditionTrue, disruption.Status)
	require.Len(s.t, pod.Status.ContainerStatuses, 1)
	assert.NotNil(s.t, pod.Status.ContainerStatuses[0].State.Terminated, "no container of a failed pod runs: %+v", pod.Status.ContainerStatuses[0])
}
