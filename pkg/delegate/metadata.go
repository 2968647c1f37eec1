package delegate

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

const (
	ownPrefix = "spillway.dev/"
	// identityPrefix is where identity labels are kept on a delegate.
	identityPrefix = "source.spillway.dev/"
	// sourceValuePrefix begins the annotations of a delegate that hold values of the source for downward API files.
	sourceValuePrefix = "spillway.dev/source-"

	annotationLastApplied = "kubectl.kubernetes.io/last-applied-configuration"
)

// identityLabels are those by which a controller tells its own pods from others', so that a selector of the target that
// has one must not match a delegate. The key of each on a delegate is the value.
var identityLabels = map[string]string{
	"pod-template-hash":                  identityPrefix + "pod-template-hash",
	"rollouts-pod-template-hash":         identityPrefix + "rollouts-pod-template-hash",
	"controller-uid":                     identityPrefix + "controller-uid",
	"batch.kubernetes.io/controller-uid": identityPrefix + "batch.kubernetes.io_controller-uid",
}

// bindingLabels are written at binding from the node: on the source pod they are the virtual node's, on the delegate
// the real node's.
var bindingLabels = map[string]bool{
	corev1.LabelTopologyRegion: true,
	corev1.LabelTopologyZone:   true,
}

// labelKey returns the key on a delegate of a label of its source.
func labelKey(key string) string {
	if renamed, ok := identityLabels[key]; ok {
		return renamed
	}
	return key
}

// describe gives a delegate the labels and annotations of its source, and those by which it is known.
func describe(d, source *corev1.Pod, o Options) {
	d.Labels, d.Annotations = delegateLabels(source, o.SourceCluster), delegateAnnotations(source)
	d.Labels[v1alpha1.LabelTarget] = o.TargetName // two Targets may be of one cluster, and must not take each other's for theirs
}

func delegateLabels(source *corev1.Pod, sourceCluster string) map[string]string {
	labels := make(map[string]string, len(source.Labels)+4)
	for key, value := range source.Labels {
		if !strings.HasPrefix(key, ownPrefix) && !bindingLabels[key] {
			labels[labelKey(key)] = value
		}
	}
	labels[v1alpha1.LabelSourceCluster] = sourceCluster
	labels[v1alpha1.LabelSourceNamespace] = source.Namespace
	labels[v1alpha1.LabelSourceName] = shorten(source.Name, maxLabel)
	labels[v1alpha1.LabelSourceUID] = string(source.UID)
	return labels
}

// delegateAnnotations drops those that elect: a target may be a source of its own, and would send the delegate on.
func delegateAnnotations(source *corev1.Pod) map[string]string {
	annotations := make(map[string]string, len(source.Annotations))
	for key, value := range source.Annotations {
		if !strings.HasPrefix(key, ownPrefix) && key != annotationLastApplied && !elects(key) {
			annotations[key] = value
		}
	}
	return annotations
}

func elects(key string) bool {
	for _, elect := range v1alpha1.ElectAnnotations {
		if key == elect {
			return true
		}
	}
	return false
}
