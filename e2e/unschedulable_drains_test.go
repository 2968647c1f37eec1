package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func closeTo(newPods bool) func(*v1alpha1.TargetSpec) {
	return func(spec *v1alpha1.TargetSpec) { spec.Unschedulable = newPods }
}

func TestAnUnschedulableTargetIsEmptiedWithinTheBudgetsAndABareStaysWhereItIs(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly("spare", "cloud"))
	target := s.givenSpare(priced("1m", "10"))
	s.createDeployment("web", 4)
	s.createElected("bare")
	s.expectAllRunning(5)
	expectEventually(t, soon, "all to be in spare", s.runningIn("spare", 5))
	s.givenBudget("web", 3)
	bare := s.getPod("bare")

	lowest := s.watchLowest(t, "web", 4)
	s.changeTarget(target, closeTo(true))

	expectEventually(t, late, "the replicas to be in cloud", s.runningIn("cloud", 4))
	assert.GreaterOrEqual(t, lowest(), 3, "the budget wants 3 ready pods at any time")
	s.expectDrained(target, metav1.ConditionFalse, "DrainHeld", "1 pods have to go: "+s.name+"/bare has no controller that would make it anew")
	assert.Equal(t, bare.UID, s.expectRunningOn("bare", "spare").UID)

	s.deletePod("bare", nil)
	s.expectDrained(target, metav1.ConditionTrue, "Drained", "")
	s.expectTargetEvents(target, "DrainHeld", "Drained")
	s.changeTarget(target, closeTo(false))
	s.expectTarget(target, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	assert.Nil(t, meta.FindStatusCondition(target.Status.Conditions, v1alpha1.ConditionDrained))
}

// The controller is killed in the middle, while a budget holds the drain.
func TestADrainThatABudgetHoldsSaysSoSurvivesARestartAndEndsWhenItIsCalledOff(t *testing.T) {
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly("spare", "cloud"))
	target := s.givenSpare(priced("1m", "10"))
	s.createDeployment("web", 2)
	s.expectAllRunning(2)
	s.givenBudget("web", 2) // no pod may ever go
	before := s.delegatesNow(spare)
	require.Len(t, before, 2)
	held := "The disruption budget web needs 2 healthy pods and has 2 currently"

	s.changeTarget(target, closeTo(true))
	s.expectDrained(target, metav1.ConditionFalse, "DrainHeld", held)
	killController(t)
	startController(t)
	s.expectDrained(target, metav1.ConditionFalse, "DrainHeld", held)
	assert.Equal(t, before, s.delegatesNow(spare), "nothing was lost")

	s.changeTarget(target, closeTo(false))
	s.expectTarget(target, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	require.NoError(t, s.kube.PolicyV1().PodDisruptionBudgets(s.name).Delete(t.Context(), "web", metav1.DeleteOptions{}))
	expectThroughout(t, soon/3, "the pods to stay", func(ctx context.Context) error { return s.runningIn("spare", 2)(ctx) })
	assert.Equal(t, before, s.delegatesNow(spare))

	s.changeTarget(target, closeTo(true))
	expectEventually(t, late, "the replicas to be in cloud", s.runningIn("cloud", 2))
	s.expectDrained(target, metav1.ConditionTrue, "Drained", "")
	s.expectOneDelegateEach(2)
}

// A Target is deleted, and the controller killed, while a budget holds its pods: it must not take them for gone when it
// starts, before it has read them.
func TestARestartDoesNotLetADeletedTargetGoBeforeItsPodsHave(t *testing.T) {
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly("spare", "cloud"))
	target := s.givenSpare(priced("1m", "10"))
	s.createDeployment("web", 2)
	s.expectAllRunning(2)
	s.givenBudget("web", 2)

	require.NoError(t, s.client.Delete(t.Context(), target))
	s.expectDrained(target, metav1.ConditionFalse, "DrainHeld", "The disruption budget web")
	killController(t)
	startController(t)
	expectThroughout(t, soon/3, "Target, node and pods to stay", func(ctx context.Context) error {
		if _, err := s.kube.CoreV1().Nodes().Get(ctx, v1alpha1.VirtualNodeName("spare"), metav1.GetOptions{}); err != nil {
			return err
		}
		return s.runningIn("spare", 2)(ctx)
	})

	require.NoError(t, s.kube.PolicyV1().PodDisruptionBudgets(s.name).Delete(t.Context(), "web", metav1.DeleteOptions{}))
	expectEventually(t, late, "the Target to be gone", func(ctx context.Context) error { return s.isGone(ctx, target) })
	expectEventually(t, late, "the replicas to be in cloud", s.runningIn("cloud", 2))
	s.expectOneDelegateEach(2)
}

// expectDrained waits for the condition Drained, with a text in its message.
func (s *space) expectDrained(target *v1alpha1.Target, status metav1.ConditionStatus, reason, text string) {
	s.t.Helper()
	expectEventually(s.t, late, fmt.Sprintf("Target %s to be Drained=%s %s", target.Name, status, reason), func(ctx context.Context) error {
		if err := s.conditionOf(ctx, target, func() []metav1.Condition { return target.Status.Conditions }, v1alpha1.ConditionDrained, status, reason); err != nil {
			return err
		}
		return containsAll(meta.FindStatusCondition(target.Status.Conditions, v1alpha1.ConditionDrained).Message, text)
	})
}

// expectTargetEvents waits for events of these reasons about a Target.
func (s *space) expectTargetEvents(target *v1alpha1.Target, reasons ...string) {
	s.t.Helper()
	expectEventually(s.t, soon, fmt.Sprintf("events %v", reasons), func(ctx context.Context) error {
		list, err := s.kube.CoreV1().Events(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.uid=" + string(target.UID)})
		if err != nil {
			return err
		}
		var seen []string
		for _, event := range list.Items {
			seen = append(seen, event.Reason)
		}
		return containsAll(fmt.Sprint(seen), reasons...)
	})
}

// delegatesNow are the names and UIDs of the space's delegates in a target.
func (s *space) delegatesNow(in *cluster) map[string]string {
	s.t.Helper()
	found, err := s.delegates(s.t.Context(), in)
	require.NoError(s.t, err)
	names := map[string]string{}
	for _, list := range found {
		for _, pod := range list {
			names[pod.Name] = string(pod.UID)
		}
	}
	return names
}
