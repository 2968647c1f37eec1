package e2e

import (
	"context"
	"fmt"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

// change makes a pod, or a pod template, what the scenario needs.
type change func(meta *metav1.ObjectMeta, spec *corev1.PodSpec)

// requesting asks for CPU and, if not empty, memory.
func requesting(cpu, memory string) change {
	return func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
		requests := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}
		if memory != "" {
			requests[corev1.ResourceMemory] = resource.MustParse(memory)
		}
		spec.Containers[0].Resources.Requests = requests
	}
}

func annotated(key, value string) change {
	return func(meta *metav1.ObjectMeta, _ *corev1.PodSpec) { metav1.SetMetaDataAnnotation(meta, key, value) }
}

// elected is the annotation that every published guide for Spillway begins with.
var elected = annotated(v1alpha1.AnnotationElect, "")

func podTemplate(changes ...change) corev1.PodTemplateSpec {
	grace := int64(1)
	template := corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		TerminationGracePeriodSeconds: &grace,
		Containers: []corev1.Container{{
			Name: "main", Image: "busybox:1.37", Command: []string{"sleep", "3600"},
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("32Mi"),
			}},
		}},
	}}
	for _, change := range changes {
		change(&template.ObjectMeta, &template.Spec)
	}
	return template
}

// createPod submits a pod that is as small as it may be, unless changed.
func (s *space) createPod(name string, changes ...change) *corev1.Pod {
	s.t.Helper()
	template := podTemplate(changes...)
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.Name = name
	pod, err := s.kube.CoreV1().Pods(s.name).Create(s.t.Context(), pod, metav1.CreateOptions{})
	require.NoError(s.t, err)
	return pod
}

// createElected submits an elected pod.
func (s *space) createElected(name string, changes ...change) *corev1.Pod {
	s.t.Helper()
	return s.createPod(name, append([]change{elected}, changes...)...)
}

// deletePod asks for a pod's deletion; a nil grace is the pod's own.
func (s *space) deletePod(name string, grace *int64) {
	s.t.Helper()
	err := s.kube.CoreV1().Pods(s.name).Delete(s.t.Context(), name, metav1.DeleteOptions{GracePeriodSeconds: grace})
	require.NoError(s.t, err)
}

// getPod reads a pod that must exist.
func (s *space) getPod(name string) *corev1.Pod {
	s.t.Helper()
	pod, err := s.kube.CoreV1().Pods(s.name).Get(s.t.Context(), name, metav1.GetOptions{})
	require.NoError(s.t, err)
	return pod
}

// record decodes where a pod was placed, and why.
func (s *space) record(name string) placement.Record {
	s.t.Helper()
	record, err := placement.Decode(s.getPod(name).Annotations[v1alpha1.AnnotationPlacement])
	require.NoError(s.t, err)
	return record
}

// list returns the namespace's pods.
func (s *space) list(ctx context.Context) ([]corev1.Pod, error) {
	found, err := s.kube.CoreV1().Pods(s.name).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	return found.Items, nil
}

// onTarget tells whether a pod is bound to a target's virtual node.
func onTarget(pod *corev1.Pod, target string) bool {
	return pod.Spec.NodeName == v1alpha1.VirtualNodeName(target)
}

// describe is what one needs to see of a pod that is not as it should be.
func describe(pod *corev1.Pod) string {
	text := fmt.Sprintf("%s is %s on %q", pod.Name, pod.Status.Phase, pod.Spec.NodeName)
	if pod.Status.Reason != "" || pod.Status.Message != "" {
		text += fmt.Sprintf(" (%s: %s)", pod.Status.Reason, pod.Status.Message)
	}
	if c := podCondition(pod, corev1.PodScheduled); c != nil && c.Status != corev1.ConditionTrue {
		text += "; " + c.Message
	}
	if placed := pod.Annotations[v1alpha1.AnnotationPlacement]; placed != "" {
		text += "; placed by " + placed
	}
	return text
}

func podCondition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}
