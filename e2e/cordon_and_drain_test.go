package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestACordonOfTheVirtualNodeStopsNewPodsAndIsNobodysButItsUsers(t *testing.T) {
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly("spare"))
	target := s.givenSpare(nil)
	s.createElected("first")
	first := s.expectRunningOn("first", "spare")

	s.kubectl("cordon", "spillway-spare")
	s.createElected("waits")
	s.expectUnschedulable("waits", "spare: its virtual node is cordoned: kubectl uncordon spillway-spare opens it")
	s.expectTarget(target, v1alpha1.ConditionReady, metav1.ConditionFalse, "Cordoned")

	killController(t)
	startController(t)
	s.createElected("waits-too")
	s.expectUnschedulable("waits-too", "its virtual node is cordoned")
	node, err := s.kube.CoreV1().Nodes().Get(t.Context(), v1alpha1.VirtualNodeName("spare"), metav1.GetOptions{})
	require.NoError(t, err)
	assert.True(t, node.Spec.Unschedulable, "a restart does not undo it")
	assert.Equal(t, first.UID, s.expectRunningOn("first", "spare").UID, "it stops new pods only")

	s.kubectl("uncordon", "spillway-spare")
	s.expectRunningOn("waits", "spare")
	s.expectRunningOn("waits-too", "spare")
	s.expectTarget(target, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
}

func TestADrainOfTheVirtualNodeRespectsBudgetsAndItsPodsMoveElsewhere(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly("spare", "cloud"))
	s.givenSpare(priced("1m", "10"))
	s.createDeployment("web", 4)
	s.expectAllRunning(4)
	expectEventually(t, soon, "all to be in spare", s.runningIn("spare", 4))
	s.givenBudget("web", 3)

	lowest := s.watchLowest(t, "web", 4)
	s.kubectl("drain", "spillway-spare", "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=120s")

	expectEventually(t, soon, "all to be in cloud", s.runningIn("cloud", 4))
	s.expectOneDelegateEach(4)
	assert.GreaterOrEqual(t, lowest(), 3, "the budget wants 3 ready pods at any time")
	s.kubectl("uncordon", "spillway-spare")
}

// kubectl is the user's, in the fleet's version.
func (s *space) kubectl(args ...string) string {
	s.t.Helper()
	command := exec.CommandContext(s.t.Context(), clusters.Binary("kubectl"), args...)
	command.Env = append(command.Environ(), "KUBECONFIG="+clusters.Kubeconfig(s.cluster.name))
	output, err := command.CombinedOutput()
	require.NoError(s.t, err, "kubectl %v: %s", args, output)
	return string(output)
}

// givenBudget keeps so many pods of an app available.
func (s *space) givenBudget(app string, available int) {
	s.t.Helper()
	minimum := intstr.FromInt(available)
	_, err := s.kube.PolicyV1().PodDisruptionBudgets(s.name).Create(s.t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: app},
		Spec:       policyv1.PodDisruptionBudgetSpec{MinAvailable: &minimum, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}},
	}, metav1.CreateOptions{})
	require.NoError(s.t, err)
	expectEventually(s.t, soon, "the budget to be counted", func(ctx context.Context) error {
		budget, err := s.kube.PolicyV1().PodDisruptionBudgets(s.name).Get(ctx, app, metav1.GetOptions{})
		if err == nil && budget.Status.ExpectedPods == 0 {
			err = fmt.Errorf("status %+v", budget.Status)
		}
		return err
	})
}

// watchLowest counts the ready pods of an app again and again; the function it returns ends that and says the lowest count.
func (s *space) watchLowest(t *testing.T, app string, from int) func() int {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	lowest, done := from, make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if pods, err := s.list(ctx); err == nil {
				lowest = min(lowest, readyOf(pods, app))
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	return func() int {
		cancel()
		<-done
		return lowest
	}
}

func readyOf(pods []corev1.Pod, app string) int {
	n := 0
	for i := range pods {
		if pods[i].Labels["app"] == app && running(&pods[i]) && pods[i].DeletionTimestamp == nil {
			n++
		}
	}
	return n
}
