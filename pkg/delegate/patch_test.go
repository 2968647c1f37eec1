package delegate_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"github.com/spillway-dev/spillway/pkg/delegate"
)

// apply gives a pod its patched status by the rules of an API server.
func apply(t testing.TB, pod *corev1.Pod, patch []byte) *corev1.Pod {
	t.Helper()
	original, err := json.Marshal(pod)
	require.NoError(t, err)
	merged, err := strategicpatch.StrategicMergePatch(original, patch, &corev1.Pod{})
	require.NoError(t, err)
	patched := &corev1.Pod{}
	require.NoError(t, json.Unmarshal(merged, patched))
	return patched
}

func TestAPatchGivesTheStatusThatIsWanted(t *testing.T) {
	list := func(cpu string) corev1.ResourceList { return corev1.ResourceList{"cpu": resource.MustParse(cpu)} }
	full := corev1.PodStatus{
		Phase: corev1.PodRunning, Reason: "r", Message: "m", StartTime: &t0, ObservedGeneration: 1, Resize: corev1.PodResizeStatusDeferred,
		PodIP: "10.0.0.1", PodIPs: []corev1.PodIP{{IP: "10.0.0.1"}, {IP: "fd00::1"}},
		AllocatedResources: corev1.ResourceList{"cpu": resource.MustParse("1"), "memory": resource.MustParse("1Gi")},
		Resources:          &corev1.ResourceRequirements{Requests: list("1"), Limits: list("2")},
		ContainerStatuses:  []corev1.ContainerStatus{{Name: "a"}, {Name: "b", Ready: true}},
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: t0},
			{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "NotReady", Message: "why", LastTransitionTime: t0},
		},
	}
	changed := corev1.PodStatus{
		Phase: corev1.PodFailed, StartTime: &t1, ObservedGeneration: 2,
		PodIP: "10.0.0.2", PodIPs: []corev1.PodIP{{IP: "10.0.0.2"}}, AllocatedResources: list("3"),
		Resources:         &corev1.ResourceRequirements{Requests: list("3")},
		ContainerStatuses: []corev1.ContainerStatus{{Name: "b"}},
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: t0},
			{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: t1},
			{Type: corev1.PodInitialized, Status: corev1.ConditionTrue, LastTransitionTime: t1},
		},
	}
	fresh := corev1.PodStatus{Phase: corev1.PodPending}
	tests := map[string]struct{ have, want corev1.PodStatus }{
		"from nothing to everything":                         {fresh, full},
		"from everything to nothing":                         {full, fresh},
		"from everything to something else, reasons and all": {full, changed},
		"back again": {changed, full},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			source := jobPod()
			source.Status = tt.have

			patch, differs, err := delegate.StatusPatch(source, tt.want)

			require.NoError(t, err)
			require.True(t, differs)
			patched := apply(t, source, patch)
			assert.Empty(t, cmp.Diff(tt.want, patched.Status, cmpopts.EquateEmpty()))
			patched.Status = source.Status
			assert.Empty(t, cmp.Diff(source, patched, cmpopts.EquateEmpty()), "nothing but the status is changed")

			source.Status = tt.want
			_, differs, err = delegate.StatusPatch(source, tt.want)
			require.NoError(t, err)
			assert.False(t, differs, "once there, there is nothing to write")
		})
	}
}

func TestAPatchHoldsWhatDiffersAndTheUID(t *testing.T) {
	source := boundPod()
	want := *source.Status.DeepCopy()
	want.Phase = corev1.PodRunning
	want.Conditions = append(want.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})

	patch, _, err := delegate.StatusPatch(source, want)

	require.NoError(t, err)
	assert.JSONEq(t, `{
		"metadata": {"uid": "0f7a9f11-1111-4222-8333-944445555666"},
		"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
	}`, string(patch))
}

func TestAConditionThatSomeoneElseJustWroteSurvivesThePatch(t *testing.T) {
	source := boundPod()
	patch, _, err := delegate.StatusPatch(source, delegate.Status(source, runningDelegate(t), isolated))
	require.NoError(t, err)
	gate := conditionOf("lb.example.com/registered", corev1.ConditionTrue, "")
	source.Status.Conditions = append(source.Status.Conditions, gate) // after the source was read

	types := map[corev1.PodConditionType]bool{}
	for _, c := range apply(t, source, patch).Status.Conditions {
		types[c.Type] = true
	}

	assert.Equal(t, map[corev1.PodConditionType]bool{corev1.PodScheduled: true, corev1.PodReady: true, gate.Type: true}, types)
}
