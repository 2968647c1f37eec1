package delegate

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// podAffinity leaves the terms about topologies inside the target, with the namespaces that their pods have there.
func (s split) podAffinity(affinity *corev1.Affinity, m v1alpha1.NamespaceMapping) {
	if pod := affinity.PodAffinity; pod != nil {
		left := corev1.PodAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution:  s.terms(pod.RequiredDuringSchedulingIgnoredDuringExecution, m),
			PreferredDuringSchedulingIgnoredDuringExecution: s.weighted(pod.PreferredDuringSchedulingIgnoredDuringExecution, m),
		}
		affinity.PodAffinity = &left
		if left.RequiredDuringSchedulingIgnoredDuringExecution == nil && left.PreferredDuringSchedulingIgnoredDuringExecution == nil {
			affinity.PodAffinity = nil
		}
	}
	if pod := affinity.PodAntiAffinity; pod != nil {
		left := corev1.PodAntiAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution:  s.terms(pod.RequiredDuringSchedulingIgnoredDuringExecution, m),
			PreferredDuringSchedulingIgnoredDuringExecution: s.weighted(pod.PreferredDuringSchedulingIgnoredDuringExecution, m),
		}
		affinity.PodAntiAffinity = &left
		if left.RequiredDuringSchedulingIgnoredDuringExecution == nil && left.PreferredDuringSchedulingIgnoredDuringExecution == nil {
			affinity.PodAntiAffinity = nil
		}
	}
}

func (s split) terms(terms []corev1.PodAffinityTerm, m v1alpha1.NamespaceMapping) []corev1.PodAffinityTerm {
	var left []corev1.PodAffinityTerm
	for _, term := range terms {
		if !s.clusterKey(term.TopologyKey) {
			translate(&term, m)
			left = append(left, term)
		}
	}
	return left
}

func (s split) weighted(
	terms []corev1.WeightedPodAffinityTerm, m v1alpha1.NamespaceMapping,
) []corev1.WeightedPodAffinityTerm {
	var left []corev1.WeightedPodAffinityTerm
	for _, term := range terms {
		if !s.clusterKey(term.PodAffinityTerm.TopologyKey) {
			translate(&term.PodAffinityTerm, m)
			left = append(left, term)
		}
	}
	return left
}

func (s split) spread(spec *corev1.PodSpec) {
	var left []corev1.TopologySpreadConstraint
	for _, constraint := range spec.TopologySpreadConstraints {
		if !s.clusterKey(constraint.TopologyKey) {
			constraint.MatchLabelKeys = unmergedKeys(constraint.MatchLabelKeys, constraint.LabelSelector)
			renameSelector(constraint.LabelSelector)
			left = append(left, constraint)
		}
	}
	spec.TopologySpreadConstraints = left
}

func translate(term *corev1.PodAffinityTerm, m v1alpha1.NamespaceMapping) {
	term.MatchLabelKeys = unmergedKeys(term.MatchLabelKeys, term.LabelSelector)
	term.MismatchLabelKeys = unmergedKeys(term.MismatchLabelKeys, term.LabelSelector)
	renameSelector(term.LabelSelector)
	for i, namespace := range term.Namespaces {
		term.Namespaces[i] = Namespace(m, namespace)
	}
	slices.Sort(term.Namespaces) // a fixed mapping makes them one
	term.Namespaces = slices.Compact(term.Namespaces)
}

// unmergedKeys returns the keys that the selector does not have yet, as the delegate's labels have them. The source's API
// server has merged matchLabelKeys into the selector when it took the pod; the target's would merge them again, and then
// refuses the pod because the key "exists in both matchLabelKeys and labelSelector".
func unmergedKeys(keys []string, selector *metav1.LabelSelector) []string {
	var left []string
	for _, key := range keys {
		if !selects(selector, key) {
			left = append(left, labelKey(key))
		}
	}
	return left
}

func selects(selector *metav1.LabelSelector, key string) bool {
	return selector != nil && slices.ContainsFunc(selector.MatchExpressions, func(r metav1.LabelSelectorRequirement) bool {
		return r.Key == key
	})
}

// renameSelector lets a selector find delegates by the keys under which they have their identity labels.
func renameSelector(selector *metav1.LabelSelector) {
	if selector == nil {
		return
	}
	for i := range selector.MatchExpressions {
		selector.MatchExpressions[i].Key = labelKey(selector.MatchExpressions[i].Key)
	}
	for key, renamed := range identityLabels {
		if value, ok := selector.MatchLabels[key]; ok {
			delete(selector.MatchLabels, key)
			selector.MatchLabels[renamed] = value
		}
	}
}
