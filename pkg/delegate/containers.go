package delegate

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// containerStatuses takes one status for each container that the source has. It leaves out mounts, users and device
// health: they describe the target's nodes, and API servers check them against the spec.
func containerStatuses(got []corev1.ContainerStatus, exists func(string) bool, names resources) []corev1.ContainerStatus {
	var want []corev1.ContainerStatus
	for i := range got {
		if exists(got[i].Name) && !hasStatus(want, got[i].Name) {
			want = append(want, containerStatus(&got[i], names))
		}
	}
	return want
}

func containerStatus(got *corev1.ContainerStatus, names resources) corev1.ContainerStatus {
	return corev1.ContainerStatus{
		Name:                 got.Name,
		State:                containerState(got.State),
		LastTerminationState: containerState(got.LastTerminationState),
		Ready:                got.Ready,
		RestartCount:         got.RestartCount,
		Image:                line(got.Image),
		ImageID:              line(got.ImageID),
		ContainerID:          line(got.ContainerID),
		Started:              got.Started,
		AllocatedResources:   names.known(got.AllocatedResources),
		Resources:            names.knownRequirements(got.Resources),
		StopSignal:           got.StopSignal,
	}
}

func containerState(got corev1.ContainerState) corev1.ContainerState {
	switch {
	case got.Terminated != nil:
		terminated := *got.Terminated
		terminated.Reason = word(terminated.Reason)
		terminated.Message = lines(terminated.Message, maxTermination)
		terminated.ContainerID = line(terminated.ContainerID)
		return corev1.ContainerState{Terminated: &terminated}
	case got.Running != nil:
		return corev1.ContainerState{Running: got.Running}
	case got.Waiting != nil:
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
			Reason:  word(got.Waiting.Reason),
			Message: line(got.Waiting.Message),
		}}
	default:
		return corev1.ContainerState{}
	}
}

func hasStatus(statuses []corev1.ContainerStatus, name string) bool {
	return slices.ContainsFunc(statuses, func(s corev1.ContainerStatus) bool { return s.Name == name })
}

func isContainer(containers []corev1.Container) func(string) bool {
	return func(name string) bool {
		return slices.ContainsFunc(containers, func(c corev1.Container) bool { return c.Name == name })
	}
}

func isEphemeral(source *corev1.Pod) func(string) bool {
	return func(name string) bool {
		return slices.ContainsFunc(source.Spec.EphemeralContainers, func(c corev1.EphemeralContainer) bool {
			return c.Name == name
		})
	}
}

// resources are the names of resources that a source pod can use: quotas of the source count what a status says, and must
// not count what was never asked for.
type resources map[corev1.ResourceName]bool

func resourceNames(spec *corev1.PodSpec) resources {
	names := resources{corev1.ResourceCPU: true, corev1.ResourceMemory: true, corev1.ResourceEphemeralStorage: true}
	names.add(spec.Resources)
	for i := range spec.InitContainers {
		names.add(&spec.InitContainers[i].Resources)
	}
	for i := range spec.Containers {
		names.add(&spec.Containers[i].Resources)
	}
	return names
}

func (r resources) add(requirements *corev1.ResourceRequirements) {
	if requirements == nil {
		return
	}
	for name := range requirements.Requests {
		r[name] = true
	}
	for name := range requirements.Limits {
		r[name] = true
	}
}

func (r resources) known(got corev1.ResourceList) corev1.ResourceList {
	var want corev1.ResourceList
	for name, quantity := range got {
		if r[name] && quantity.Sign() >= 0 {
			if want == nil {
				want = make(corev1.ResourceList, len(got))
			}
			want[name] = quantity
		}
	}
	return want
}

func (r resources) knownRequirements(got *corev1.ResourceRequirements) *corev1.ResourceRequirements {
	if got == nil {
		return nil
	}
	return &corev1.ResourceRequirements{Requests: r.known(got.Requests), Limits: r.known(got.Limits)}
}
