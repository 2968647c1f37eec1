package delegate_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	podapi "k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/core"
	apiv1 "k8s.io/kubernetes/pkg/apis/core/v1"
	"k8s.io/kubernetes/pkg/apis/core/validation"
)

// create does with a pod what an API server does with a POST of it, short of admission: defaults, the merge of
// matchLabelKeys into selectors, validation. It returns the pod as it would be stored.
func create(t testing.TB, pod *corev1.Pod) (*corev1.Pod, field.ErrorList) {
	t.Helper()
	stored := pod.DeepCopy()
	apiv1.SetObjectDefaults_Pod(stored)
	mergeLabelKeys(stored)
	internal := internalPod(t, stored)
	if internal.Spec.SecurityContext == nil {
		internal.Spec.SecurityContext = &core.PodSecurityContext{}
	}
	options := podapi.GetValidationOptionsFromPodSpecAndMeta(&internal.Spec, nil, &internal.ObjectMeta, nil)
	options.ResourceIsPod = true
	return stored, validation.ValidatePodCreate(internal, options)
}

// updateStatus does with a status what an API server does with an update of it on a pod.
func updateStatus(t testing.TB, pod *corev1.Pod, status corev1.PodStatus) field.ErrorList {
	t.Helper()
	changed := pod.DeepCopy()
	changed.Status = *status.DeepCopy()
	before, after := internalPod(t, pod), internalPod(t, changed)
	before.ResourceVersion, after.ResourceVersion = "1", "1"
	options := podapi.GetValidationOptionsFromPodSpecAndMeta(&after.Spec, &before.Spec, &after.ObjectMeta, &before.ObjectMeta)
	options.ResourceIsPod = true
	return validation.ValidatePodStatusUpdate(after, before, options)
}

func internalPod(t testing.TB, pod *corev1.Pod) *core.Pod {
	t.Helper()
	internal := &core.Pod{}
	require.NoError(t, apiv1.Convert_v1_Pod_To_core_Pod(pod.DeepCopy(), internal, nil))
	return internal
}

// mergeLabelKeys is what the pod registry does at creation.
func mergeLabelKeys(pod *corev1.Pod) {
	merge := func(selector *metav1.LabelSelector, operator metav1.LabelSelectorOperator, keys []string) {
		for _, key := range keys {
			if value, ok := pod.Labels[key]; ok {
				selector.MatchExpressions = append(selector.MatchExpressions,
					metav1.LabelSelectorRequirement{Key: key, Operator: operator, Values: []string{value}})
			}
		}
	}
	for _, constraint := range pod.Spec.TopologySpreadConstraints {
		merge(constraint.LabelSelector, metav1.LabelSelectorOpIn, constraint.MatchLabelKeys)
	}
	if pod.Spec.Affinity == nil || pod.Spec.Affinity.PodAntiAffinity == nil {
		return
	}
	for _, term := range pod.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
		merge(term.LabelSelector, metav1.LabelSelectorOpIn, term.MatchLabelKeys)
		merge(term.LabelSelector, metav1.LabelSelectorOpNotIn, term.MismatchLabelKeys)
	}
}
