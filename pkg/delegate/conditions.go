package delegate

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// mirrored are the conditions that a kubelet writes. PodScheduled is the source scheduler's; all others are their
// writers', in the source.
var mirrored = map[corev1.PodConditionType]bool{
	corev1.PodInitialized:            true,
	corev1.PodReadyToStartContainers: true,
	corev1.ContainersReady:           true,
	corev1.PodReady:                  true,
	corev1.DisruptionTarget:          true,
	corev1.PodResizePending:          true,
	corev1.PodResizeInProgress:       true,
	corev1.AllContainersRestarting:   true,
}

// reasonReadinessGates is the kubelet's word for it.
const reasonReadinessGates = "ReadinessGatesNotReady"

// conditions puts the delegate's among the source's, whose order stays.
func conditions(source, delegate *corev1.Pod, g generations, o StatusOptions) []corev1.PodCondition {
	var want []corev1.PodCondition
	for i := range source.Status.Conditions {
		old := &source.Status.Conditions[i]
		got := find(delegate.Status.Conditions, old.Type)
		switch {
		case old.Type == corev1.PodScheduled && got != nil: // only a kubelet says which generation of the pod it is about
			scheduled := *old
			scheduled.ObservedGeneration = g.observed(got.ObservedGeneration, old.ObservedGeneration)
			want = append(want, scheduled)
		case !mirrored[old.Type]:
			want = append(want, *old)
		case got != nil:
			want = append(want, condition(got, old, source, g, o))
		case old.Type == corev1.DisruptionTarget: // the source cluster disrupts the pod: it evicts, or drains the target
			want = append(want, *old)
		}
	}
	for i := range delegate.Status.Conditions {
		if got := &delegate.Status.Conditions[i]; mirrored[got.Type] && find(want, got.Type) == nil {
			want = append(want, condition(got, &corev1.PodCondition{}, source, g, o))
		}
	}
	return want
}

func condition(got, old *corev1.PodCondition, source *corev1.Pod, g generations, o StatusOptions) corev1.PodCondition {
	want := corev1.PodCondition{
		Type:               got.Type,
		Status:             conditionStatus(got.Status),
		Reason:             word(got.Reason),
		Message:            line(got.Message),
		LastTransitionTime: got.LastTransitionTime,
		ObservedGeneration: g.observed(got.ObservedGeneration, old.ObservedGeneration),
	}
	switch {
	case got.Type == corev1.DisruptionTarget:
		want.Message = saidBy(o.Target, got.Message)
	case got.Type == corev1.PodReady && len(source.Spec.ReadinessGates) > 0:
		return gated(want, old, source, o.Now)
	}
	return want
}

func conditionStatus(got corev1.ConditionStatus) corev1.ConditionStatus {
	if got == corev1.ConditionTrue || got == corev1.ConditionFalse {
		return got
	}
	return corev1.ConditionUnknown
}

// gated adds the source's readiness gates to a Ready condition, as a kubelet of the source would, and in its words. The
// moment at which such a pod became ready is then the source's to tell.
func gated(ready corev1.PodCondition, old *corev1.PodCondition, source *corev1.Pod, now metav1.Time) corev1.PodCondition {
	if unmet := unmetGates(source); ready.Status == corev1.ConditionTrue && len(unmet) > 0 {
		ready.Status, ready.Reason, ready.Message = corev1.ConditionFalse, reasonReadinessGates, strings.Join(unmet, ", ")
	}
	ready.LastTransitionTime = now.Rfc3339Copy()
	if old.Status == ready.Status {
		ready.LastTransitionTime = old.LastTransitionTime
	}
	return ready
}

func unmetGates(source *corev1.Pod) []string {
	var unmet []string
	for _, gate := range source.Spec.ReadinessGates {
		switch c := find(source.Status.Conditions, gate.ConditionType); {
		case c == nil:
			unmet = append(unmet, fmt.Sprintf("corresponding condition of pod readiness gate %q does not exist.", gate.ConditionType))
		case c.Status != corev1.ConditionTrue:
			unmet = append(unmet, fmt.Sprintf("the status of pod readiness gate %q is not \"True\", but %v", gate.ConditionType, c.Status))
		}
	}
	return unmet
}

func find(conditions []corev1.PodCondition, t corev1.PodConditionType) *corev1.PodCondition {
	for i := range conditions {
		if conditions[i].Type == t {
			return &conditions[i]
		}
	}
	return nil
}
