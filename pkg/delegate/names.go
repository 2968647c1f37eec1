package delegate

import (
	"crypto/sha256"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

const (
	maxLabel     = 63  // of a DNS label, a label's value and a namespace's name
	maxSubdomain = 253 // of most objects' names

	delegateHash  = 10
	namespaceHash = 8
	// shippedHash is longer: in a shared namespace of the target, only the hash keeps a tenant from choosing a source
	// namespace whose objects take the place of another tenant's.
	shippedHash = 16
)

// Source is what a delegate's labels say of where it came from.
type Source struct {
	Cluster   string // UID of the kube-system namespace
	Namespace string
	UID       types.UID
}

// Name returns the name of a source pod's delegate: the source's name, shortened, and a hash of cluster and UID. It is at
// most 63 characters, and the same whenever it is asked.
func Name(pod *corev1.Pod, sourceCluster string) string {
	return shorten(pod.Name, maxLabel-1-delegateHash) + "-" + hash(delegateHash, sourceCluster, string(pod.UID))
}

// Namespace returns the target's namespace for a source namespace.
func Namespace(m v1alpha1.NamespaceMapping, sourceNamespace string) string {
	switch m.Mapping {
	case v1alpha1.MappingFixed:
		return m.Name
	case v1alpha1.MappingPrefix:
		return limit(m.Prefix+sourceNamespace, maxLabel, namespaceHash, m.Prefix, sourceNamespace)
	default:
		return sourceNamespace
	}
}

// ShippedName returns the name in the target of a ConfigMap or Secret of the source. Two sources, or two namespaces of
// one, that share a namespace of the target never meet.
func ShippedName(sourceCluster, sourceNamespace, name string) string {
	return shorten(name, maxSubdomain-1-shippedHash) + "-" + hash(shippedHash, sourceCluster, sourceNamespace, name)
}

// SourceUID returns the UID of a delegate's source pod; false for a pod that is no delegate.
func SourceUID(delegate *corev1.Pod) (types.UID, bool) {
	uid, ok := delegate.Labels[v1alpha1.LabelSourceUID]
	return types.UID(uid), ok && uid != ""
}

// SourceOf returns where a delegate came from; false for a pod that is no delegate.
func SourceOf(delegate *corev1.Pod) (Source, bool) {
	uid, ok := SourceUID(delegate)
	return Source{
		Cluster:   delegate.Labels[v1alpha1.LabelSourceCluster],
		Namespace: delegate.Labels[v1alpha1.LabelSourceNamespace],
		UID:       uid,
	}, ok
}

// hostname makes a DNS label of a pod's name, which may have dots and 253 characters.
func hostname(name string) string {
	return shorten(strings.ReplaceAll(name, ".", "-"), maxLabel)
}

// limit returns s when it has at most size characters, and otherwise its start and a hash of parts.
func limit(s string, size, hashed int, parts ...string) string {
	if len(s) <= size {
		return s
	}
	return shorten(s, size-1-hashed) + "-" + hash(hashed, parts...)
}

// shorten cuts a name to a length, and then to an end that a name may have.
func shorten(name string, size int) string {
	if len(name) <= size {
		return name
	}
	return strings.TrimRight(name[:size], "-._")
}

// consonants spell no words, and being no digits they never make a name that a StatefulSet takes for one of its pods.
const consonants = "bcdfghjklmnpqrstvwxz"

// hash returns size consonants (4.3 bits each, at most 32) that stand for the parts.
func hash(size int, parts ...string) string {
	// Zero bytes part the parts: none of them can have one.
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	out := make([]byte, size)
	for i := range out {
		out[i] = consonants[int(sum[i])%len(consonants)]
	}
	return string(out)
}
