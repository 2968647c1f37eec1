package e2e

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// Sequential: each needs the local nodes' room for itself. Two nodes of 8 CPUs: no two pods of 6 fit one.
func TestAnImportantPodBurstsBeforeItEvictsUnlessItsPolicySaysOtherwise(t *testing.T) {
	tests := []struct {
		name     string
		policy   v1alpha1.PlacementPolicySpec
		others   change // of the pods that fill the local nodes
		wantHome bool   // the important pod runs locally, in place of another
	}{
		{"by default it bursts", v1alpha1.PlacementPolicySpec{}, unimportant, false},
		{"by BeforeBurst it evicts", v1alpha1.PlacementPolicySpec{Preemption: v1alpha1.PreemptBeforeBurst}, unimportant, true},
		{"by BeforeBurst it bursts when there is nobody to evict", v1alpha1.PlacementPolicySpec{Preemption: v1alpha1.PreemptBeforeBurst}, nil, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := givenNamespace(t, source, burst)
			important := s.givenPriority(1000)
			if test.others == nil {
				test.others = important
			}
			s.givenPolicy(test.policy)
			for _, name := range []string{"first", "second"} {
				s.createPod(name, requesting("6", ""), test.others)
				s.expectRunningLocally(name)
			}

			s.createElected("important", requesting("6", ""), important)

			if test.wantHome {
				s.expectRunningLocally("important")
				pods := s.expectAllRunning(2) // one of the others made room
				assert.Contains(t, []string{pods[0].Name, pods[1].Name}, "important")
				return
			}
			s.expectRunningOn("important", heata.name)
			s.expectAllRunning(3)
			events, err := s.kube.CoreV1().Events(s.name).List(t.Context(), metav1.ListOptions{
				FieldSelector: "reason=FailedScheduling,involvedObject.name=important"})
			require.NoError(t, err)
			assert.Empty(t, events.Items, "it fitted all along")
		})
	}
}

func unimportant(*metav1.ObjectMeta, *corev1.PodSpec) {}

// givenPriority makes a PriorityClass, for as long as the scenario runs.
func (s *space) givenPriority(value int32) change {
	s.t.Helper()
	class := &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: uniqueName("priority")}, Value: value}
	class, err := s.kube.SchedulingV1().PriorityClasses().Create(s.t.Context(), class, metav1.CreateOptions{})
	require.NoError(s.t, err)
	s.t.Cleanup(func() {
		require.NoError(s.t, s.kube.SchedulingV1().PriorityClasses().Delete(context.Background(), class.Name, metav1.DeleteOptions{}))
	})
	return func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) { spec.PriorityClassName = class.Name }
}
