package delegate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/delegate"
)

var (
	t0 = metav1.NewTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	t1 = metav1.NewTime(t0.Add(time.Minute))

	isolated = delegate.StatusOptions{Network: v1alpha1.NetworkIsolated, Target: "heata", Now: t1}
	routable = delegate.StatusOptions{Network: v1alpha1.NetworkRoutable, Target: "heata", Now: t1}
)

func conditionOf(t corev1.PodConditionType, status corev1.ConditionStatus, reason string) corev1.PodCondition {
	return corev1.PodCondition{Type: t, Status: status, Reason: reason, LastTransitionTime: t0}
}

// boundPod is a source pod as its API server has it right after the binding.
func boundPod() *corev1.Pod {
	pod := jobPod()
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodPending, QOSClass: corev1.PodQOSBurstable,
		Conditions: []corev1.PodCondition{conditionOf(corev1.PodScheduled, corev1.ConditionTrue, "")},
	}
	return pod
}

// runningDelegate is a delegate as its target's kubelet reports it.
func runningDelegate(t testing.TB) *corev1.Pod {
	t.Helper()
	pod, err := delegate.New(boundPod(), heata())
	require.NoError(t, err)
	pod.Generation = 3
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, QOSClass: corev1.PodQOSGuaranteed, StartTime: &t0, ObservedGeneration: 3,
		HostIP: "192.0.2.1", HostIPs: []corev1.HostIP{{IP: "192.0.2.1"}}, NominatedNodeName: "n7",
		PodIP: "10.1.2.3", PodIPs: []corev1.PodIP{{IP: "10.1.2.3"}, {IP: "fd00::3"}},
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: t1},
			{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: t0, ObservedGeneration: 3},
			{Type: "example.com/told", Status: corev1.ConditionTrue},
		},
		ContainerStatuses: []corev1.ContainerStatus{
			{
				Name: "main", Ready: true, Started: ptr.To(true), RestartCount: 1, Image: "render:1", ContainerID: "containerd://1",
				State:              corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: t0}},
				AllocatedResources: corev1.ResourceList{"cpu": resource.MustParse("2"), "example.com/gpu": resource.MustParse("9")},
				VolumeMounts:       []corev1.VolumeMountStatus{{Name: "scene", MountPath: "/scene"}},
			},
			{Name: "stranger", Image: "sidecar"},
		},
	}
	return pod
}

func TestARunningDelegateMakesItsSourceRun(t *testing.T) {
	source := boundPod()
	want := corev1.PodStatus{
		Phase: corev1.PodRunning, QOSClass: corev1.PodQOSBurstable, StartTime: &t0, ObservedGeneration: 1,
		Conditions: []corev1.PodCondition{
			conditionOf(corev1.PodScheduled, corev1.ConditionTrue, ""),
			{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: t0, ObservedGeneration: 1},
		},
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: "main", Ready: true, Started: ptr.To(true), RestartCount: 1, Image: "render:1", ContainerID: "containerd://1",
			State:              corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: t0}},
			AllocatedResources: corev1.ResourceList{"cpu": resource.MustParse("2")},
		}},
	}

	got := delegate.Status(source, runningDelegate(t), isolated)

	assert.Empty(t, cmp.Diff(want, got))
	assert.Empty(t, cmp.Diff(boundPod(), source), "the source pod is not changed")
	assert.Empty(t, updateStatus(t, source, got), "an API server takes it")
}

func TestAddressesAreBelievedOnlyWhereTheyCanBeReached(t *testing.T) {
	tests := map[string]struct {
		options delegate.StatusOptions
		got     []string
		want    []corev1.PodIP
	}{
		"an isolated target's are not":      {isolated, []string{"10.1.2.3"}, nil},
		"one of each family":                {routable, []string{"10.1.2.3", "fd00::3", "10.1.2.4", "fd00::4"}, []corev1.PodIP{{IP: "10.1.2.3"}, {IP: "fd00::3"}}},
		"not the host's own, nor a cloud's": {routable, []string{"127.0.0.1", "169.254.169.254", "::1", "fe80::1", "0.0.0.0", "224.0.0.1"}, nil},
		"not what is no address":            {routable, []string{"", "web.example.com", "10.0.0.1/8", "fd00::1%eth0", "::ffff:10.0.0.1"}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			target := runningDelegate(t)
			target.Status.PodIP, target.Status.PodIPs = tt.got[0], nil
			for _, ip := range tt.got {
				target.Status.PodIPs = append(target.Status.PodIPs, corev1.PodIP{IP: ip})
			}

			got := delegate.Status(boundPod(), target, tt.options)

			assert.Equal(t, tt.want, got.PodIPs)
			assert.Equal(t, len(tt.want) > 0, got.PodIP != "")
			assert.Empty(t, got.HostIP)
			assert.Empty(t, updateStatus(t, boundPod(), got))
		})
	}
}

func TestTheHostOfAPodIsTheVirtualNode(t *testing.T) {
	options := isolated
	options.HostIP = "10.0.0.7"

	got := delegate.Status(boundPod(), runningDelegate(t), options)

	assert.Equal(t, "10.0.0.7", got.HostIP, "and not what the target says")
	assert.Equal(t, []corev1.HostIP{{IP: "10.0.0.7"}}, got.HostIPs)
	assert.Empty(t, updateStatus(t, boundPod(), got))
}

func TestADelegateWithoutNewsChangesNothing(t *testing.T) {
	tests := map[string]corev1.PodStatus{
		"just created": {},
		"just scheduled": {Phase: corev1.PodPending, QOSClass: corev1.PodQOSGuaranteed, ObservedGeneration: 3,
			Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: t1}}},
		"nominated": {Phase: corev1.PodPending, NominatedNodeName: "n7"},
	}
	for name, status := range tests {
		t.Run(name, func(t *testing.T) {
			source, target := boundPod(), runningDelegate(t)
			target.Status = status

			patch, changed, err := delegate.StatusPatch(source, delegate.Status(source, target, routable))

			require.NoError(t, err)
			assert.False(t, changed)
			assert.Nil(t, patch)
		})
	}
}

func TestASourceThatHasEndedKeepsItsStatus(t *testing.T) {
	for _, phase := range []corev1.PodPhase{corev1.PodSucceeded, corev1.PodFailed} {
		source := boundPod()
		source.Status.Phase = phase

		assert.Empty(t, cmp.Diff(source.Status, delegate.Status(source, runningDelegate(t), isolated)))
		assert.Empty(t, cmp.Diff(source.Status, delegate.LostStatus(source, "x", "y", t1)))
	}
}

func TestAnEvictedDelegateSaysSoOnItsSource(t *testing.T) {
	target := runningDelegate(t)
	target.Status.Phase, target.Status.Reason, target.Status.Message = corev1.PodFailed, "Evicted", "The node was low on memory."
	disrupted := conditionOf(corev1.DisruptionTarget, corev1.ConditionTrue, "TerminationByKubelet")
	disrupted.Message = "The node was low on memory."
	target.Status.Conditions = append(target.Status.Conditions, disrupted)

	got := delegate.Status(boundPod(), target, isolated)

	assert.Equal(t, corev1.PodFailed, got.Phase)
	assert.Equal(t, "Evicted", got.Reason)
	assert.Equal(t, "target heata: The node was low on memory.", got.Message)
	disrupted.Message = "target heata: The node was low on memory."
	assert.Contains(t, got.Conditions, disrupted)
}

func TestConditionsOfOtherWritersStay(t *testing.T) {
	gate := conditionOf("lb.example.com/registered", corev1.ConditionTrue, "")
	drained := conditionOf(corev1.DisruptionTarget, corev1.ConditionTrue, "DeletionByTaintManager")
	resizing := conditionOf(corev1.PodResizePending, corev1.ConditionTrue, "Deferred")
	source := boundPod()
	source.Status.Conditions = append(source.Status.Conditions, gate, drained, resizing)

	got := delegate.Status(source, runningDelegate(t), isolated)

	assert.Contains(t, got.Conditions, gate)
	assert.Contains(t, got.Conditions, drained, "the source cluster disrupts the pod")
	assert.NotContains(t, got.Conditions, resizing, "the target resizes no longer")
}

func TestReadinessGatesAreOpenedInTheSource(t *testing.T) {
	const gate = corev1.PodConditionType("lb.example.com/registered")
	source := boundPod()
	source.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: gate}}

	closed := delegate.Status(source, runningDelegate(t), isolated)
	require.Len(t, closed.Conditions, 2)
	assert.Equal(t, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "ReadinessGatesNotReady",
		Message: `corresponding condition of pod readiness gate "lb.example.com/registered" does not exist.`, LastTransitionTime: t1, ObservedGeneration: 1}, closed.Conditions[1])

	source.Status = closed
	later := delegate.StatusOptions{Now: metav1.NewTime(t1.Add(time.Hour))}
	assert.Empty(t, cmp.Diff(closed.Conditions, delegate.Status(source, runningDelegate(t), later).Conditions), "nothing changed, no new date")

	source.Status.Conditions = append(source.Status.Conditions, conditionOf(gate, corev1.ConditionTrue, ""))
	opened := delegate.Status(source, runningDelegate(t), later)
	assert.Equal(t, corev1.ConditionTrue, opened.Conditions[1].Status)
	assert.Equal(t, later.Now, opened.Conditions[1].LastTransitionTime, "minReadySeconds count from when the gate opened")
}

func TestAGenerationIsTheSourcesOnceTheTargetHasSeenTheLatest(t *testing.T) {
	tests := map[string]struct{ observed, want int64 }{
		"the delegate's latest":          {observed: 3, want: 1},
		"an earlier one tells nothing":   {observed: 2, want: 0},
		"none, from a target without it": {observed: 0, want: 0},
		"more than there is":             {observed: 99, want: 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			target := runningDelegate(t)
			target.Status.ObservedGeneration, target.Status.Conditions[1].ObservedGeneration = tt.observed, tt.observed

			got := delegate.Status(boundPod(), target, isolated)

			assert.Equal(t, tt.want, got.ObservedGeneration)
			assert.Equal(t, tt.want, got.Conditions[1].ObservedGeneration)
		})
	}
}

func TestContainerStatesAreBounded(t *testing.T) {
	long := strings.Repeat("a", 1<<16)
	target := runningDelegate(t)
	target.Status.Message, target.Status.Reason = "line\nnext\x1b[31m"+long, long
	target.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Message: "two\nlines\x07"}}
	target.Status.ContainerStatuses[0].LastTerminationState = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Message: long}}

	got := delegate.Status(boundPod(), target, isolated)

	assert.True(t, strings.HasPrefix(got.Message, "target heata: line next[31maaa"), got.Message)
	assert.Len(t, got.Message, 1<<10)
	assert.Len(t, got.Reason, 128)
	assert.Equal(t, "two\nlines", got.ContainerStatuses[0].State.Terminated.Message)
	assert.Len(t, got.ContainerStatuses[0].LastTerminationState.Waiting.Message, 1<<10)
}

func TestWhatNoPodCanBeIsNotBelieved(t *testing.T) {
	target := runningDelegate(t)
	target.Status.Phase, target.Status.Resize = "Owned", "Owned"
	target.Status.Conditions[1].Status = "Owned"
	target.Status.AllocatedResources = corev1.ResourceList{"cpu": resource.MustParse("-1"), "memory": resource.MustParse("1Gi")}

	got := delegate.Status(boundPod(), target, isolated)

	assert.Equal(t, corev1.PodPending, got.Phase)
	assert.Empty(t, got.Resize)
	assert.Equal(t, corev1.ConditionUnknown, got.Conditions[1].Status)
	assert.Equal(t, corev1.ResourceList{"memory": resource.MustParse("1Gi")}, got.AllocatedResources)
}

func TestALostDelegateFailsItsSourceWithoutBlame(t *testing.T) {
	source := boundPod()
	source.Status = delegate.Status(source, runningDelegate(t), isolated)
	source.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "i", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}}}
	before := source.DeepCopy()
	now := metav1.NewTime(t1.Add(time.Millisecond))

	got := delegate.LostStatus(source, delegate.ReasonDelegateDeleted, "the delegate was deleted in target heata", now)

	assert.Equal(t, corev1.PodFailed, got.Phase)
	assert.Equal(t, "DelegateDeleted", got.Reason)
	assert.Equal(t, &corev1.ContainerStateTerminated{
		ExitCode: 137, Reason: "DelegateDeleted", Message: "the delegate was deleted in target heata",
		StartedAt: t0, FinishedAt: metav1.NewTime(t1.UTC()), ContainerID: "containerd://1",
	}, got.ContainerStatuses[0].State.Terminated)
	assert.False(t, got.ContainerStatuses[0].Ready)
	assert.NotNil(t, got.InitContainerStatuses[0].State.Waiting, "what never ran has not ended")
	status := map[corev1.PodConditionType]corev1.ConditionStatus{}
	for _, c := range got.Conditions {
		status[c.Type] = c.Status
	}
	assert.Equal(t, map[corev1.PodConditionType]corev1.ConditionStatus{
		corev1.PodScheduled: corev1.ConditionTrue, corev1.PodReady: corev1.ConditionFalse, corev1.DisruptionTarget: corev1.ConditionTrue}, status)
	assert.Empty(t, cmp.Diff(before, source), "the source pod is not changed")
	assert.Empty(t, updateStatus(t, source, got), "an API server takes it")
}

func TestAnEndThatNobodySawIsNoDisruption(t *testing.T) {
	source := boundPod()
	source.Status = delegate.Status(source, runningDelegate(t), isolated)

	got := delegate.UnseenStatus(source, delegate.ReasonUnknown, "gone", t1)

	assert.Equal(t, corev1.PodFailed, got.Phase)
	assert.EqualValues(t, 137, got.ContainerStatuses[0].State.Terminated.ExitCode)
	for _, c := range got.Conditions {
		assert.NotEqual(t, corev1.DisruptionTarget, c.Type, "it was deleted here")
	}
	assert.Empty(t, updateStatus(t, source, got), "an API server takes it")
}

func TestTheFirstDisruptionIsTheOneTold(t *testing.T) {
	source := boundPod()
	drained := conditionOf(corev1.DisruptionTarget, corev1.ConditionTrue, "DeletionByTaintManager")
	source.Status.Conditions = append(source.Status.Conditions, drained)

	got := delegate.LostStatus(source, delegate.ReasonDelegateDeleted, "gone", t1)

	assert.Equal(t, drained, got.Conditions[len(got.Conditions)-1])
}

func BenchmarkStatus(b *testing.B) {
	source, target := boundPod(), runningDelegate(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, changed, err := delegate.StatusPatch(source, delegate.Status(source, target, isolated)); err != nil || !changed {
			b.Fatal(changed, err)
		}
	}
}

func TestAKubeletSaysWhichGenerationWasScheduled(t *testing.T) {
	target := runningDelegate(t)
	target.Status.Conditions[0].ObservedGeneration = 3
	target.Status.Conditions[0].Message = "somewhere"

	got := delegate.Status(boundPod(), target, isolated)

	want := conditionOf(corev1.PodScheduled, corev1.ConditionTrue, "")
	want.ObservedGeneration = 1
	assert.Equal(t, want, got.Conditions[0], "the rest of the condition stays the source's")
}
