package profile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

func TestExplain(t *testing.T) {
	full := map[string]*fwk.Status{"spillway-heata": fwk.NewStatus(fwk.Unschedulable, "heata: 4 Insufficient cpu"),
		"source-1": fwk.NewStatus(fwk.Unschedulable, "Insufficient cpu"), "source-2": fwk.NewStatus(fwk.Unschedulable, "Insufficient cpu")}
	tests := map[string]struct {
		nodes     int
		diagnosis framework.Diagnosis
		want      string
	}{
		"the local nodes are one place": {nodes: 4, diagnosis: framework.Diagnosis{NodeToStatus: framework.NewNodeToStatus(full, nil)},
			want: "0/3 places fit: heata: 4 Insufficient cpu; local: 2 Insufficient cpu"},
		"without local nodes only targets are counted": {nodes: 2, diagnosis: framework.Diagnosis{NodeToStatus: framework.NewNodeToStatus(nil, nil)},
			want: "0/2 places fit: "},
		"a pod refused as such is told once, whatever the places": {nodes: 4,
			diagnosis: framework.Diagnosis{PreFilterMsg: "PlacementPolicy a/b does not exist", NodeToStatus: framework.NewNodeToStatus(full, nil)},
			want:      "0/3 places fit: PlacementPolicy a/b does not exist"},
		"what preemption counts over nodes is left out": {nodes: 4,
			diagnosis: framework.Diagnosis{PostFilterMsg: "preemption: 0/4 nodes are available: 4 No preemption victims found for incoming pod.",
				NodeToStatus: framework.NewNodeToStatus(full, nil)},
			want: "0/3 places fit: heata: 4 Insufficient cpu; local: 2 Insufficient cpu"},
		"what preemption says of the pod is kept": {nodes: 4,
			diagnosis: framework.Diagnosis{PostFilterMsg: "preemption: not eligible due to preemptionPolicy=Never.",
				NodeToStatus: framework.NewNodeToStatus(full, nil)},
			want: "0/3 places fit: heata: 4 Insufficient cpu; local: 2 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never."},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, explain(&framework.FitError{NumAllNodes: test.nodes, Diagnosis: test.diagnosis}, 2))
		})
	}
}

func TestAThousandReasonsAreBoundedAndCountedAndTheSameEveryTime(t *testing.T) {
	statuses := map[string]*fwk.Status{"source-1": fwk.NewStatus(fwk.Unschedulable, "Insufficient cpu")}
	for i := range 1000 {
		statuses[fmt.Sprintf("spillway-t%03d", i)] = fwk.NewStatus(fwk.Unschedulable, fmt.Sprintf("t%03d: price 0.%03d over the policy's limit", i, i))
	}
	got := byPlace(framework.NewNodeToStatus(statuses, nil))

	assert.Less(t, len(got), 1000)
	assert.True(t, strings.HasPrefix(got, "t000: price 0.000 over the policy's limit; t001: "), got)
	assert.Regexp(t, `; and 9\d\d more places, each with another reason; local: 1 Insufficient cpu$`, got)
	for range 5 {
		assert.Equal(t, got, byPlace(framework.NewNodeToStatus(statuses, nil)))
	}
}

// frameworkFake is the framework as a failure uses it.
type frameworkFake struct {
	framework.Framework
	recorder *recorderFake
}

func (f frameworkFake) EventRecorder() events.EventRecorderLogger { return f.recorder }
func (f frameworkFake) APICacher() fwk.APICacher                  { return nil }

type recorderFake struct{ notes []string }

func (r *recorderFake) WithLogger(klog.Logger) events.EventRecorderLogger { return r }

func (r *recorderFake) Eventf(_, _ runtime.Object, _, _, _, note string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(note, args...))
}

func TestConditionAndEventSayOurTextAndAnUnchangedOneIsNotWrittenAgain(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
	client := fake.NewClientset(pod)
	recorded := &recorderFake{}
	w := &inOurWords{Framework: frameworkFake{recorder: recorded}, ctx: t.Context(), client: client, text: "0/1 places fit: local: 100% full"}
	condition := corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/1 nodes are available"}

	w.EventRecorder().WithLogger(klog.Background()).Eventf(pod, nil, corev1.EventTypeWarning, "FailedScheduling", "Scheduling", "0/1 nodes are available")
	_, err := w.APICacher().PatchPodStatus(pod, []*corev1.PodCondition{condition.DeepCopy()}, nil)
	require.NoError(t, err)

	assert.Equal(t, []string{"0/1 places fit: local: 100% full"}, recorded.notes)
	written, err := client.CoreV1().Pods("shop").Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	require.Len(t, written.Status.Conditions, 1)
	assert.Equal(t, "0/1 places fit: local: 100% full", written.Status.Conditions[0].Message)

	client.ClearActions()
	_, err = w.APICacher().PatchPodStatus(written, []*corev1.PodCondition{condition.DeepCopy()}, nil)
	require.NoError(t, err)
	assert.Empty(t, client.Actions())

	making := &fwk.NominatingInfo{NominatingMode: fwk.ModeOverride, NominatedNodeName: "source-1"}
	_, err = w.APICacher().PatchPodStatus(written, []*corev1.PodCondition{condition.DeepCopy()}, making)
	require.NoError(t, err)
	written, err = client.CoreV1().Pods("shop").Get(t.Context(), "web", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, "source-1", written.Status.NominatedNodeName)
}
