package delegate

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// notAhead keeps a status from telling of the future, as that of a target does whose clock is ahead of ours. Controllers of
// the source count from its times: a Job would wait until then before it replaces a pod, a Deployment before it calls one
// available. What was told before stays, so that the status does not change by being looked at.
func notAhead(want, old *corev1.PodStatus, now metav1.Time) {
	if now.IsZero() {
		return // no time is ahead of one that is not known
	}
	now = now.Rfc3339Copy()
	if ahead(want.StartTime, now) {
		want.StartTime = &now
		if old.StartTime != nil {
			want.StartTime = old.StartTime
		}
	}
	for i := range want.Conditions {
		c := &want.Conditions[i]
		if !ahead(&c.LastTransitionTime, now) {
			continue
		}
		c.LastTransitionTime = now
		if was := find(old.Conditions, c.Type); was != nil && was.Status == c.Status {
			c.LastTransitionTime = was.LastTransitionTime
		}
	}
	for _, lists := range [][2][]corev1.ContainerStatus{
		{want.InitContainerStatuses, old.InitContainerStatuses},
		{want.ContainerStatuses, old.ContainerStatuses},
		{want.EphemeralContainerStatuses, old.EphemeralContainerStatuses},
	} {
		for i := range lists[0] {
			c, was := &lists[0][i], statusOf(lists[1], lists[0][i].Name)
			c.State = stateNotAhead(c.State, was.State, now)
			c.LastTerminationState = stateNotAhead(c.LastTerminationState, was.LastTerminationState, now)
		}
	}
}

func stateNotAhead(want, old corev1.ContainerState, now metav1.Time) corev1.ContainerState {
	if got := want.Running; got != nil && ahead(&got.StartedAt, now) {
		running := corev1.ContainerStateRunning{StartedAt: now}
		if old.Running != nil {
			running.StartedAt = old.Running.StartedAt
		}
		want.Running = &running
	}
	if got := want.Terminated; got != nil && (ahead(&got.StartedAt, now) || ahead(&got.FinishedAt, now)) {
		terminated, was := *got, corev1.ContainerStateTerminated{StartedAt: now, FinishedAt: now}
		if old.Terminated != nil && old.Terminated.ContainerID == got.ContainerID {
			was = *old.Terminated
		}
		if ahead(&terminated.StartedAt, now) {
			terminated.StartedAt = was.StartedAt
		}
		if ahead(&terminated.FinishedAt, now) {
			terminated.FinishedAt = was.FinishedAt
		}
		want.Terminated = &terminated
	}
	return want
}

func statusOf(statuses []corev1.ContainerStatus, name string) corev1.ContainerStatus {
	for _, s := range statuses {
		if s.Name == name {
			return s
		}
	}
	return corev1.ContainerStatus{}
}

// ahead allows a second, because times are told in whole ones.
func ahead(t *metav1.Time, now metav1.Time) bool {
	return t != nil && t.Time.Unix() > now.Time.Unix()+1
}
