package delegate

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAStatusNeverTellsOfTheFuture(t *testing.T) {
	now := metav1.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) metav1.Time { return metav1.NewTime(now.Add(d)) }
	// status has every time that comes from a target.
	status := func(moment metav1.Time) *corev1.PodStatus {
		return &corev1.PodStatus{
			StartTime:  &moment,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: moment}},
			ContainerStatuses: []corev1.ContainerStatus{{
				Name:                 "main",
				State:                corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: moment}},
				LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{StartedAt: moment, FinishedAt: moment}},
			}},
		}
	}
	tests := map[string]struct {
		got  metav1.Time       // from the target
		old  *corev1.PodStatus // the source pod's
		want metav1.Time
	}{
		"a target whose clock is right":                    {at(-time.Minute), &corev1.PodStatus{}, at(-time.Minute)},
		"one whose clock is behind tells of the past":      {at(-time.Hour), &corev1.PodStatus{}, at(-time.Hour)},
		"one whose clock is ahead by a second is near it":  {at(time.Second), &corev1.PodStatus{}, at(time.Second)},
		"one whose clock is ahead by an hour tells of now": {at(time.Hour), &corev1.PodStatus{}, now},
		"and later of what it told before":                 {at(time.Hour), status(at(-time.Minute)), at(-time.Minute)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := status(test.got)
			notAhead(got, test.old, now)
			assert.Empty(t, cmp.Diff(status(test.want), got))
		})
	}
}

func TestAnotherStateHasATimeOfItsOwn(t *testing.T) {
	now := metav1.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	later, before := metav1.NewTime(now.Add(time.Hour)), metav1.NewTime(now.Add(-time.Hour))
	old := &corev1.PodStatus{
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: before}},
		ContainerStatuses: []corev1.ContainerStatus{{Name: "main",
			State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ContainerID: "first", FinishedAt: before}}}},
	}
	got := &corev1.PodStatus{
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: later}},
		ContainerStatuses: []corev1.ContainerStatus{{Name: "main",
			State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ContainerID: "second", FinishedAt: later}}}},
	}
	notAhead(got, old, now)
	assert.Equal(t, now, got.Conditions[0].LastTransitionTime)
	assert.Equal(t, now, got.ContainerStatuses[0].State.Terminated.FinishedAt)
}

// The delegate is in a target's cache, which others read.
func TestTheDelegatesOwnTimesAreLeftAlone(t *testing.T) {
	now := metav1.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	later := metav1.NewTime(now.Add(time.Hour))
	source := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main"}}}}
	remote := &corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodRunning, StartTime: &later,
		Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: later}},
		ContainerStatuses: []corev1.ContainerStatus{{Name: "main", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: later}}}}}}
	kept := remote.DeepCopy()
	want := Status(source, remote, StatusOptions{Target: "cloud", Now: now})
	assert.Equal(t, now, *want.StartTime)
	assert.Equal(t, now, want.ContainerStatuses[0].State.Running.StartedAt)
	assert.Equal(t, now, want.Conditions[0].LastTransitionTime)
	assert.Empty(t, cmp.Diff(kept, remote))
}
