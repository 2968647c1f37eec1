package delegate

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// providerToleration is what lets an elected pod, and no other, onto virtual nodes.
var providerToleration = corev1.Toleration{
	Key:      v1alpha1.TaintProvider,
	Operator: corev1.TolerationOpEqual,
	Value:    v1alpha1.TaintProviderValue,
	Effect:   corev1.TaintEffectNoSchedule,
}

// healthTolerations pass over the taints that the source puts on a node which is not ready or cordoned: whether a target can
// be used, and by which pods, is known from the target and its node themselves, sooner and with the reason.
var healthTolerations = []corev1.Toleration{
	{Key: corev1.TaintNodeNotReady, Operator: corev1.TolerationOpExists},
	{Key: corev1.TaintNodeUnreachable, Operator: corev1.TolerationOpExists},
	{Key: corev1.TaintNodeUnschedulable, Operator: corev1.TolerationOpExists},
	{Key: v1alpha1.TaintUnschedulable, Operator: corev1.TolerationOpExists},
}

// OverlookHealth lets a cluster view pass over the taints of a node that is not ready or takes no new pods. It is for the
// choice of a node alone: a spread whose nodeTaintsPolicy is Honor must not count the domains of such nodes.
func OverlookHealth(view *corev1.Pod) *corev1.Pod {
	blind := *view
	blind.Spec.Tolerations = slices.Concat(view.Spec.Tolerations, healthTolerations)
	return &blind
}

// ClusterView returns a source pod as a virtual node is to judge it: with the constraints whose label key isClusterKey
// knows, the toleration of the provider's taint, and nothing that is about one machine (other labels, volumes, host ports).
// The pod is not changed; the view shares memory with it, so it is for reading only.
func ClusterView(pod *corev1.Pod, isClusterKey func(string) bool) *corev1.Pod {
	view := *pod
	spec := &view.Spec
	spec.NodeSelector = clusterSelector(spec.NodeSelector, isClusterKey)
	spec.Affinity = clusterAffinity(spec.Affinity, isClusterKey)
	spec.TopologySpreadConstraints = keep(spec.TopologySpreadConstraints, func(c corev1.TopologySpreadConstraint) bool {
		return isClusterKey(c.TopologyKey)
	})
	spec.Tolerations = slices.Concat(spec.Tolerations, []corev1.Toleration{providerToleration})
	spec.Volumes = nil
	spec.InitContainers = withoutHostPorts(spec.InitContainers)
	spec.Containers = withoutHostPorts(spec.Containers)
	return &view
}

func clusterSelector(selector map[string]string, isClusterKey func(string) bool) map[string]string {
	var kept map[string]string
	for key, value := range selector {
		if isClusterKey(key) {
			if kept == nil {
				kept = make(map[string]string, len(selector))
			}
			kept[key] = value
		}
	}
	return kept
}

func clusterAffinity(affinity *corev1.Affinity, isClusterKey func(string) bool) *corev1.Affinity {
	if affinity == nil {
		return nil
	}
	required := func(term corev1.PodAffinityTerm) bool { return isClusterKey(term.TopologyKey) }
	preferred := func(term corev1.WeightedPodAffinityTerm) bool { return isClusterKey(term.PodAffinityTerm.TopologyKey) }
	view := &corev1.Affinity{NodeAffinity: clusterNodeAffinity(affinity.NodeAffinity, isClusterKey)}
	if pod := affinity.PodAffinity; pod != nil {
		view.PodAffinity = &corev1.PodAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution:  keep(pod.RequiredDuringSchedulingIgnoredDuringExecution, required),
			PreferredDuringSchedulingIgnoredDuringExecution: keep(pod.PreferredDuringSchedulingIgnoredDuringExecution, preferred),
		}
	}
	if pod := affinity.PodAntiAffinity; pod != nil {
		view.PodAntiAffinity = &corev1.PodAntiAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution:  keep(pod.RequiredDuringSchedulingIgnoredDuringExecution, required),
			PreferredDuringSchedulingIgnoredDuringExecution: keep(pod.PreferredDuringSchedulingIgnoredDuringExecution, preferred),
		}
	}
	return view
}

func clusterNodeAffinity(node *corev1.NodeAffinity, isClusterKey func(string) bool) *corev1.NodeAffinity {
	if node == nil {
		return nil
	}
	view := &corev1.NodeAffinity{}
	if required := node.RequiredDuringSchedulingIgnoredDuringExecution; required != nil {
		view.RequiredDuringSchedulingIgnoredDuringExecution = clusterTerms(required.NodeSelectorTerms, isClusterKey)
	}
	for _, term := range node.PreferredDuringSchedulingIgnoredDuringExecution {
		if kept := clusterTerm(term.Preference, isClusterKey); !isEmpty(kept) {
			view.PreferredDuringSchedulingIgnoredDuringExecution = append(view.PreferredDuringSchedulingIgnoredDuringExecution,
				corev1.PreferredSchedulingTerm{Weight: term.Weight, Preference: kept})
		}
	}
	return view
}

// clusterTerms returns nil, which allows every target, when one of the alternatives is all about the target's nodes.
func clusterTerms(terms []corev1.NodeSelectorTerm, isClusterKey func(string) bool) *corev1.NodeSelector {
	view := &corev1.NodeSelector{NodeSelectorTerms: make([]corev1.NodeSelectorTerm, 0, len(terms))}
	for _, term := range terms {
		kept := clusterTerm(term, isClusterKey)
		if isEmpty(kept) && !isEmpty(term) {
			return nil
		}
		view.NodeSelectorTerms = append(view.NodeSelectorTerms, kept)
	}
	return view
}

func clusterTerm(term corev1.NodeSelectorTerm, isClusterKey func(string) bool) corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchExpressions: keep(term.MatchExpressions, func(r corev1.NodeSelectorRequirement) bool {
		return isClusterKey(r.Key)
	})}
}

// withoutHostPorts: a virtual node has as many of each host port as its target has nodes.
func withoutHostPorts(containers []corev1.Container) []corev1.Container {
	if !slices.ContainsFunc(containers, hasHostPort) {
		return containers
	}
	view := slices.Clone(containers)
	for i := range view {
		view[i].Ports = keep(view[i].Ports, func(port corev1.ContainerPort) bool { return port.HostPort == 0 })
	}
	return view
}

func hasHostPort(container corev1.Container) bool {
	return slices.ContainsFunc(container.Ports, func(port corev1.ContainerPort) bool { return port.HostPort != 0 })
}

// keep returns the items that are wanted in new memory, and nil when there are none.
func keep[T any](items []T, wanted func(T) bool) []T {
	var kept []T
	for _, item := range items {
		if wanted(item) {
			kept = append(kept, item)
		}
	}
	return kept
}
