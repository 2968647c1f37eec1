package delegate

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// What is refused because of where a pod may run; %s is a key or a value. A Target's own labels are left out, so that a
// pod's condition can say it once for all targets.
const (
	reasonSelectorExcludes = "spec.nodeSelector wants %s=%s, which is not what the Target's labels say: ask for a value that a Target has, or for no value"
	reasonSelectorConflict = "spec.nodeSelector wants %s=%s, and the Target limits its nodes to %s=%s: ask for that value, or for no value"
	reasonAffinityExcludes = "spec.affinity.nodeAffinity excludes the Target's labels: allow them in one of its terms"
)

// nodeLevel keys describe one machine, even where a virtual node has to carry them because every node does.
var nodeLevel = map[string]bool{
	corev1.LabelHostname: true, corev1.LabelOSStable: true, corev1.LabelArchStable: true,
	"beta.kubernetes.io/os": true, "beta.kubernetes.io/arch": true, v1alpha1.LabelNodeType: true,
}

// IsClusterKey says whether constraints on a label key choose between targets: whether it is one of the given Targets'
// spec.labels, and not one that describes a machine. v1alpha1.LabelTarget always does.
func IsClusterKey(key string, targetLabels ...map[string]string) bool {
	if key == v1alpha1.LabelTarget {
		return true
	}
	if nodeLevel[key] || strings.HasPrefix(key, "node.kubernetes.io/") {
		return false
	}
	return slices.ContainsFunc(targetLabels, func(labels map[string]string) bool {
		_, ok := labels[key]
		return ok
	})
}

// fieldName is the one field by which a nodeSelectorTerm chooses.
const fieldName = "metadata.name"

// split parts a pod's constraints into those on the Target's labels, or on its virtual node by name, and those on the
// target's nodes.
type split struct {
	node       string            // the virtual node, as users of the source see it
	labels     map[string]string // the Target's, and its name
	clusterKey func(string) bool
}

// splitFor takes only what the Target says of itself, as the views do: a virtual node has more labels, which stand for no
// choice between targets, such as the zone that each gets for itself.
func splitFor(o Options) split {
	labels := map[string]string{v1alpha1.LabelTarget: o.TargetName}
	maps.Copy(labels, o.Target.Labels)
	return split{node: v1alpha1.VirtualNodeName(o.TargetName), labels: labels, clusterKey: func(key string) bool { return IsClusterKey(key, o.Target.Labels) }}
}

// constrain leaves in a delegate's spec the constraints for the target's nodes, adds the Target's own, and lists why no
// node of this target will do.
func constrain(spec *corev1.PodSpec, o Options) []string {
	s := splitFor(o)
	reasons := s.selectNodes(spec, o.Target.NodeSelector)
	if affinity := spec.Affinity; affinity != nil {
		if !s.nodeAffinity(affinity) {
			reasons = append(reasons, reasonAffinityExcludes)
		}
		s.podAffinity(affinity, o.Target.Namespaces)
		if affinity.NodeAffinity == nil && affinity.PodAffinity == nil && affinity.PodAntiAffinity == nil {
			spec.Affinity = nil
		}
	}
	s.spread(spec)
	tolerate(spec, o.Target.Tolerations)
	return reasons
}

func (s split) selectNodes(spec *corev1.PodSpec, target map[string]string) []string {
	var reasons []string
	for key, value := range spec.NodeSelector {
		if key == corev1.LabelHostname && value == s.node {
			delete(spec.NodeSelector, key)
		}
		if !s.clusterKey(key) {
			continue
		}
		if got, ok := s.labels[key]; !ok || got != value {
			reasons = append(reasons, fmt.Sprintf(reasonSelectorExcludes, key, value))
		}
		delete(spec.NodeSelector, key)
	}
	if spec.NodeSelector == nil && len(target) > 0 {
		spec.NodeSelector = make(map[string]string, len(target))
	}
	for key, value := range target {
		if asked, ok := spec.NodeSelector[key]; ok && asked != value {
			reasons = append(reasons, fmt.Sprintf(reasonSelectorConflict, key, asked, key, value))
		}
		spec.NodeSelector[key] = value
	}
	sort.Strings(reasons)
	return reasons
}

// nodeAffinity leaves the terms that this target can satisfy, without what the target itself satisfies. It is false when
// the required terms allow no node of this target.
func (s split) nodeAffinity(affinity *corev1.Affinity) bool {
	node := affinity.NodeAffinity
	if node == nil {
		return true
	}
	allowed := true
	if required := node.RequiredDuringSchedulingIgnoredDuringExecution; required != nil {
		required.NodeSelectorTerms, allowed = s.requiredTerms(required.NodeSelectorTerms)
		if len(required.NodeSelectorTerms) == 0 {
			node.RequiredDuringSchedulingIgnoredDuringExecution = nil
		}
	}
	var preferred []corev1.PreferredSchedulingTerm
	for _, term := range node.PreferredDuringSchedulingIgnoredDuringExecution {
		rest, ok := s.nodeTerm(term.Preference)
		if ok && !isEmpty(rest) {
			preferred = append(preferred, corev1.PreferredSchedulingTerm{Weight: term.Weight, Preference: rest})
		}
	}
	node.PreferredDuringSchedulingIgnoredDuringExecution = preferred
	if node.RequiredDuringSchedulingIgnoredDuringExecution == nil && preferred == nil {
		affinity.NodeAffinity = nil
	}
	return allowed
}

// requiredTerms are alternatives: one that the target satisfies whole, whatever the node, makes the others idle.
func (s split) requiredTerms(terms []corev1.NodeSelectorTerm) ([]corev1.NodeSelectorTerm, bool) {
	var left []corev1.NodeSelectorTerm
	for _, term := range terms {
		rest, ok := s.nodeTerm(term)
		if !ok || isEmpty(term) { // Kubernetes lets an empty term match no node
			continue
		}
		if isEmpty(rest) {
			return nil, true
		}
		left = append(left, rest)
	}
	return left, len(left) > 0
}

// nodeTerm returns what of a term is left for the target's nodes; false when the target itself fails the term.
func (s split) nodeTerm(term corev1.NodeSelectorTerm) (corev1.NodeSelectorTerm, bool) {
	var rest corev1.NodeSelectorTerm
	for _, field := range term.MatchFields {
		if !s.namesNode(field, fieldName) {
			rest.MatchFields = append(rest.MatchFields, field)
		} else if field.Operator == corev1.NodeSelectorOpNotIn {
			return rest, false
		}
	}
	for _, expression := range term.MatchExpressions {
		switch {
		case s.namesNode(expression, corev1.LabelHostname):
			if expression.Operator == corev1.NodeSelectorOpNotIn {
				return rest, false
			}
		case !s.clusterKey(expression.Key):
			rest.MatchExpressions = append(rest.MatchExpressions, expression)
		case !matches(expression, s.labels):
			return rest, false
		}
	}
	return rest, true
}

// namesNode tells whether the virtual node itself is asked for, or excluded: no node of the target has its name, and another
// name may be one of theirs.
func (s split) namesNode(r corev1.NodeSelectorRequirement, key string) bool {
	return r.Key == key && slices.Contains(r.Values, s.node)
}

func isEmpty(term corev1.NodeSelectorTerm) bool {
	return len(term.MatchExpressions) == 0 && len(term.MatchFields) == 0
}

// matches is the rule by which Kubernetes' scheduler matches one expression with a node's labels.
func matches(expression corev1.NodeSelectorRequirement, labels map[string]string) bool {
	value, ok := labels[expression.Key]
	switch expression.Operator {
	case corev1.NodeSelectorOpIn:
		return ok && slices.Contains(expression.Values, value)
	case corev1.NodeSelectorOpNotIn:
		return !ok || !slices.Contains(expression.Values, value)
	case corev1.NodeSelectorOpExists:
		return ok
	case corev1.NodeSelectorOpDoesNotExist:
		return !ok
	case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
		return compares(expression, value)
	default:
		return false
	}
}

func compares(expression corev1.NodeSelectorRequirement, value string) bool {
	if len(expression.Values) != 1 {
		return false
	}
	have, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return false
	}
	bound, err := strconv.ParseInt(expression.Values[0], 10, 64)
	if err != nil {
		return false
	}
	if expression.Operator == corev1.NodeSelectorOpGt {
		return have > bound
	}
	return have < bound
}

// tolerate adds the Target's tolerations, and takes away one of our provider taint: it speaks of the source's virtual
// nodes, and in a target that has some of its own nothing would ever run the delegate there.
func tolerate(spec *corev1.PodSpec, target []corev1.Toleration) {
	spec.Tolerations = slices.DeleteFunc(spec.Tolerations, func(toleration corev1.Toleration) bool {
		return toleration.Key == v1alpha1.TaintProvider
	})
	for i := range target {
		spec.Tolerations = append(spec.Tolerations, *target[i].DeepCopy())
	}
}
