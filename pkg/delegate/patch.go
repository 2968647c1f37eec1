package delegate

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

// StatusPatch returns the strategic merge patch of the status subresource that gives a source pod the status it should
// have, and false when it has it. The patch holds the fields that differ and the pod's UID, so that it never reaches
// another pod of that name. Errors are those of encoding JSON.
func StatusPatch(source *corev1.Pod, want corev1.PodStatus) ([]byte, bool, error) {
	status := fields{}
	have := &source.Status
	status.scalar("phase", have.Phase == want.Phase, want.Phase == "", want.Phase)
	status.scalar("reason", have.Reason == want.Reason, want.Reason == "", want.Reason)
	status.scalar("message", have.Message == want.Message, want.Message == "", want.Message)
	status.scalar("resize", have.Resize == want.Resize, want.Resize == "", want.Resize)
	status.scalar("hostIP", have.HostIP == want.HostIP, want.HostIP == "", want.HostIP)
	addresses(status, "hostIPs", have.HostIPs, want.HostIPs)
	status.scalar("podIP", have.PodIP == want.PodIP, want.PodIP == "", want.PodIP)
	status.scalar("observedGeneration", have.ObservedGeneration == want.ObservedGeneration, want.ObservedGeneration == 0,
		want.ObservedGeneration)
	status.scalar("startTime", have.StartTime.Equal(want.StartTime), want.StartTime == nil, want.StartTime)
	status.list("initContainerStatuses", have.InitContainerStatuses, want.InitContainerStatuses)
	status.list("containerStatuses", have.ContainerStatuses, want.ContainerStatuses)
	status.list("ephemeralContainerStatuses", have.EphemeralContainerStatuses, want.EphemeralContainerStatuses)
	addresses(status, "podIPs", have.PodIPs, want.PodIPs)
	status.quantities("allocatedResources", have.AllocatedResources, want.AllocatedResources)
	status.resources(have.Resources, want.Resources)
	status.conditions(have.Conditions, want.Conditions)
	if len(status) == 0 {
		return nil, false, nil
	}
	patch, err := json.Marshal(fields{"metadata": fields{"uid": source.UID}, "status": status})
	if err != nil {
		return nil, false, fmt.Errorf("encoding the status of pod %s/%s: %w", source.Namespace, source.Name, err)
	}
	return patch, true, nil
}

// fields of a patch; a nil value removes the field.
type fields map[string]any

// How a strategic merge patch is told not to merge: lists and maps with a merge key keep what they are not told of.
const (
	directive        = "$patch"
	directiveDelete  = "delete"
	directiveReplace = "replace"
)

func (f fields) scalar(name string, same, empty bool, value any) {
	switch {
	case same:
	case empty:
		f[name] = nil
	default:
		f[name] = value
	}
}

// list is for container statuses, which a patch replaces as a whole.
func (f fields) list(name string, have, want []corev1.ContainerStatus) {
	if !equality.Semantic.DeepEqual(have, want) {
		f.scalar(name, false, len(want) == 0, want)
	}
}

// addresses are lists that a patch would merge.
func addresses[T any](f fields, name string, have, want []T) {
	if equality.Semantic.DeepEqual(have, want) {
		return
	}
	items := []any{fields{directive: directiveReplace}}
	for _, item := range want {
		items = append(items, item)
	}
	f.scalar(name, false, len(want) == 0, items)
}

func (f fields) quantities(name string, have, want corev1.ResourceList) {
	if equality.Semantic.DeepEqual(have, want) {
		return
	}
	changed := fields{}
	for resource := range have {
		changed[string(resource)] = nil
	}
	for resource, quantity := range want {
		changed[string(resource)] = quantity
	}
	f.scalar(name, false, len(want) == 0, changed)
}

func (f fields) resources(have, want *corev1.ResourceRequirements) {
	if equality.Semantic.DeepEqual(have, want) {
		return
	}
	if want == nil {
		f["resources"] = nil
		return
	}
	if have == nil {
		have = &corev1.ResourceRequirements{}
	}
	changed := fields{}
	changed.quantities("requests", have.Requests, want.Requests)
	changed.quantities("limits", have.Limits, want.Limits)
	f["resources"] = changed
}

// conditions are merged by type: those of other writers, however new, are not in the patch and stay.
func (f fields) conditions(have, want []corev1.PodCondition) {
	var changed []fields
	for i := range want {
		old := find(have, want[i].Type)
		if old == nil || !equality.Semantic.DeepEqual(*old, want[i]) {
			changed = append(changed, changedCondition(old, &want[i]))
		}
	}
	for i := range have {
		if find(want, have[i].Type) == nil {
			changed = append(changed, fields{directive: directiveDelete, "type": have[i].Type})
		}
	}
	if changed != nil {
		f["conditions"] = changed
	}
}

// changedCondition clears by null what the old condition said and the new one does not: a merge would keep it.
func changedCondition(old, want *corev1.PodCondition) fields {
	if old == nil {
		old = &corev1.PodCondition{}
	}
	f := fields{"type": want.Type, "status": want.Status}
	f.scalar("reason", old.Reason == want.Reason, want.Reason == "", want.Reason)
	f.scalar("message", old.Message == want.Message, want.Message == "", want.Message)
	f.scalar("observedGeneration", old.ObservedGeneration == want.ObservedGeneration, want.ObservedGeneration == 0,
		want.ObservedGeneration)
	f.scalar("lastTransitionTime", old.LastTransitionTime.Equal(&want.LastTransitionTime), want.LastTransitionTime.IsZero(),
		want.LastTransitionTime)
	f.scalar("lastProbeTime", old.LastProbeTime.Equal(&want.LastProbeTime), want.LastProbeTime.IsZero(), want.LastProbeTime)
	return f
}
