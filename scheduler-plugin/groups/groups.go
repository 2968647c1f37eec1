// Package groups keeps together what wants to start together: the pods of one group go all to one place, or none goes
// anywhere.
//
// What a pod says about its group, and who else is in it, come in; out comes what the pod's scheduling cycle is to do:
// wait, lead the group's attempt at a place, take its seat in one, or follow its group. An attempt holds a place for all
// pods of the group at once, so that two groups never wait for each other with half a place each; its two barriers see to
// it that no pod goes on before all have come as far.
package groups

import (
	"errors"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// The objects that may say a group's size.
const (
	KindJob      = "Job"
	KindPodGroup = "PodGroup"
)

// Key tells groups apart.
type Key struct {
	Namespace, Name string
	Kind            string    // of the object that says the size; "" when the pods do
	UID             types.UID // of a Job: the next one of its name is another group
}

// String is for people.
func (k Key) String() string { return k.Name }

// Asked is what a pod says about its group.
type Asked struct {
	Key
	Size int // 0 when the object that Key names says it
}

// Of returns nil for a pod of no group. The error says what the pod's author has to write.
func Of(pod *corev1.Pod) (*Asked, error) {
	if name := pod.Labels[v1alpha1.LabelGroup]; name != "" {
		size, err := sizeOf(pod)
		if err == nil && size == 0 {
			err = fmt.Errorf(textNoSize, name, v1alpha1.AnnotationGroupSize)
		}
		return &Asked{Key: Key{Namespace: pod.Namespace, Name: name}, Size: size}, err
	}
	if _, asks := pod.Annotations[v1alpha1.AnnotationGroup]; asks {
		owner := metav1.GetControllerOf(pod)
		if owner == nil || owner.Kind != KindJob {
			return &Asked{}, errors.New(textNoJob)
		}
		size, err := sizeOf(pod)
		return &Asked{Key: Key{Namespace: pod.Namespace, Name: owner.Name, Kind: KindJob, UID: owner.UID}, Size: size}, err
	}
	if group := pod.Spec.SchedulingGroup; group != nil && group.PodGroupName != nil {
		return &Asked{Key: Key{Namespace: pod.Namespace, Name: *group.PodGroupName, Kind: KindPodGroup}}, nil
	}
	return nil, nil
}

// sizeOf is 0 when the pod does not say.
func sizeOf(pod *corev1.Pod) (int, error) {
	said, ok := pod.Annotations[v1alpha1.AnnotationGroupSize]
	if !ok {
		said, ok = pod.Labels[v1alpha1.AnnotationGroupSize]
	}
	if !ok {
		return 0, nil
	}
	size, err := strconv.Atoi(said)
	if err != nil || size < 1 {
		return 0, fmt.Errorf(textBadSize, v1alpha1.AnnotationGroupSize, said)
	}
	return size, nil
}
