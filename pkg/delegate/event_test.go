package delegate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/delegate"
)

func kubeletEvent() *corev1.Event {
	return &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: "render-x.17", Namespace: "there", UID: "e-1"},
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "there", Name: "render-x", UID: "remote-1",
			FieldPath: "spec.containers{main}"},
		Reason: "BackOff", Message: "Back-off restarting failed container", Type: corev1.EventTypeWarning,
		Source: corev1.EventSource{Component: "kubelet", Host: "n7"}, FirstTimestamp: t0, LastTimestamp: t1, Count: 3,
	}
}

func TestAnEventOfADelegateIsItsSourcePods(t *testing.T) {
	source := boundPod()
	want := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: "media", Name: "render-0-x8vbz." + delegate.EventID("heata", "e-1"),
			Labels: map[string]string{v1alpha1.LabelTarget: "heata"}},
		InvolvedObject: corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: "media", Name: "render-0-x8vbz", UID: source.UID,
			FieldPath: "spec.containers{main}"},
		Reason: "BackOff", Message: "target heata: Back-off restarting failed container", Type: corev1.EventTypeWarning,
		Source:              corev1.EventSource{Component: "kubelet", Host: "heata"},
		ReportingController: "kubelet", ReportingInstance: "heata", FirstTimestamp: t0, LastTimestamp: t1, Count: 3,
	}

	got := delegate.Event(source, kubeletEvent(), isolated)

	assert.Empty(t, cmp.Diff(want, got))
	again := kubeletEvent()
	again.Count = 4
	assert.Equal(t, got.Name, delegate.Event(source, again, isolated).Name, "a count is told of the same event")
}

func TestEventsOfBothKindsAreCountedAndDated(t *testing.T) {
	later := metav1.NewTime(t1.Add(time.Hour))
	tests := map[string]struct {
		change              func(event *corev1.Event)
		wantCount           int32
		wantFirst, wantLast metav1.Time
	}{
		"a kubelet's": {func(*corev1.Event) {}, 3, t0, t1},
		"a scheduler's": {func(e *corev1.Event) {
			e.FirstTimestamp, e.LastTimestamp, e.Count, e.EventTime = metav1.Time{}, metav1.Time{}, 0, metav1.NewMicroTime(t0.Time)
		}, 1, t0, t0},
		"a series": {func(e *corev1.Event) {
			e.FirstTimestamp, e.LastTimestamp, e.Count, e.EventTime = metav1.Time{}, metav1.Time{}, 0, metav1.NewMicroTime(t0.Time)
			e.Series = &corev1.EventSeries{Count: 5, LastObservedTime: metav1.NewMicroTime(t1.Time)}
		}, 5, t0, t1},
		"without any date": {func(e *corev1.Event) {
			e.FirstTimestamp, e.LastTimestamp, e.CreationTimestamp = metav1.Time{}, metav1.Time{}, t0
		}, 3, t0, t0},
		"of a clock that is ahead": {func(e *corev1.Event) { e.LastTimestamp = later }, 3, t0, t1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			event := kubeletEvent()
			tt.change(event)

			got := delegate.Event(boundPod(), event, isolated)

			assert.Equal(t, tt.wantCount, got.Count)
			assert.True(t, tt.wantFirst.Equal(&got.FirstTimestamp), got.FirstTimestamp)
			assert.True(t, tt.wantLast.Equal(&got.LastTimestamp), got.LastTimestamp)
		})
	}
}

func TestWhatATargetSaysInAnEventIsBounded(t *testing.T) {
	event := kubeletEvent()
	event.Type, event.Source = "Owned", corev1.EventSource{}
	event.ReportingController = "scheduler"
	event.Reason, event.Message = strings.Repeat("r", 1000), "two\nlines\x1b[31m"+strings.Repeat("m", 1<<12)

	got := delegate.Event(boundPod(), event, isolated)

	assert.Equal(t, corev1.EventTypeNormal, got.Type)
	assert.Equal(t, corev1.EventSource{Component: "scheduler", Host: "heata"}, got.Source)
	assert.Len(t, got.Reason, 128)
	assert.True(t, strings.HasPrefix(got.Message, "target heata: two lines[31mm"), got.Message)
	assert.LessOrEqual(t, len(got.Message), 1<<10)
}

func TestANameTellsWhetherAPodMayBeADelegate(t *testing.T) {
	made, err := delegate.New(boundPod(), heata())
	require.NoError(t, err)
	assert.True(t, delegate.IsName(made.Name))
	for _, other := range []string{"", "web-7d4b9c6f5-abcde", "web-0", "coredns", made.Name + "-0"} {
		assert.False(t, delegate.IsName(other), other)
	}
}
