package delegate

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// Reasons for which containers ended that nobody saw end.
const (
	ReasonDelegateDeleted = "DelegateDeleted"        // the delegate went without its source pod being deleted
	ReasonUnknown         = "ContainerStatusUnknown" // a kubelet's own word for it
)

// exitKilled is what a shell shows for SIGKILL, and what a kubelet writes for a container whose end nobody saw.
const exitKilled = 137

// LostStatus returns the status of a source pod whose delegate is gone although nobody here asked for that: as UnseenStatus,
// and with a DisruptionTarget condition, so that a Job need not count the failure.
func LostStatus(source *corev1.Pod, reason, message string, now metav1.Time) corev1.PodStatus {
	want := UnseenStatus(source, reason, message, now)
	if hasEnded(source.Status.Phase) {
		return want
	}
	disrupted := disruption(source, want.Reason, want.Message, now.Rfc3339Copy())
	want.Conditions = append(keep(want.Conditions, func(c corev1.PodCondition) bool { return c.Type != corev1.DisruptionTarget }), disrupted)
	return want
}

// UnseenStatus returns the status of a source pod whose delegate is gone for good, and whose end nobody saw: Failed with the
// reason and message, and no longer ready. Containers that were running have ended at now. A source pod that has ended keeps
// its status.
func UnseenStatus(source *corev1.Pod, reason, message string, now metav1.Time) corev1.PodStatus {
	want := source.Status
	if hasEnded(want.Phase) {
		return want
	}
	now = now.Rfc3339Copy()
	want.Phase = corev1.PodFailed
	want.Reason, want.Message = word(reason), line(message)
	want.InitContainerStatuses = terminated(want.InitContainerStatuses, reason, message, now)
	want.ContainerStatuses = terminated(want.ContainerStatuses, reason, message, now)
	want.EphemeralContainerStatuses = terminated(want.EphemeralContainerStatuses, reason, message, now)
	want.Conditions = nil
	for _, c := range source.Status.Conditions {
		if (c.Type == corev1.PodReady || c.Type == corev1.ContainersReady) && c.Status != corev1.ConditionFalse {
			c.Status, c.Reason, c.Message, c.LastTransitionTime = corev1.ConditionFalse, want.Reason, want.Message, now
		}
		want.Conditions = append(want.Conditions, c)
	}
	return want
}

// disruption keeps a disruption that the source knows of already: that one was first.
func disruption(source *corev1.Pod, reason, message string, now metav1.Time) corev1.PodCondition {
	if old := find(source.Status.Conditions, corev1.DisruptionTarget); old != nil && old.Status == corev1.ConditionTrue {
		return *old
	}
	return corev1.PodCondition{
		Type:               corev1.DisruptionTarget,
		Status:             corev1.ConditionTrue,
		Reason:             reason,
		Message:            message,
		LastTransitionTime: now,
		ObservedGeneration: source.Generation,
	}
}

func terminated(old []corev1.ContainerStatus, reason, message string, now metav1.Time) []corev1.ContainerStatus {
	var want []corev1.ContainerStatus
	for _, status := range old {
		if running := status.State.Running; running != nil {
			status.Ready, status.Started = false, ptr.To(false)
			status.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				ExitCode:    exitKilled,
				Reason:      word(reason),
				Message:     line(message),
				StartedAt:   running.StartedAt,
				FinishedAt:  now,
				ContainerID: status.ContainerID,
			}}
		}
		want = append(want, status)
	}
	return want
}
