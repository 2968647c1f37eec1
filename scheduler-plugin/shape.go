package schedulerplugin

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/delegate"
)

// shape is all of a pod that decides where it may go, as a digest: pods of one shape are answered alike by every target,
// so one dry run and one refusal serve them all.
type shape [sha256.Size]byte

// ownLabels tell the pods of one workload apart. They are no part of a shape, or each pod of an indexed Job would have one
// of its own.
var ownLabels = []string{
	"batch.kubernetes.io/job-completion-index",
	"apps.kubernetes.io/pod-index",
	"statefulset.kubernetes.io/pod-name",
}

// shapeOf a source pod.
func shapeOf(pod *corev1.Pod) shape {
	digest := sha256.New()
	write(digest, pod.Namespace, pod.Annotations[v1alpha1.AnnotationPolicy])
	for _, key := range slices.Sorted(maps.Keys(pod.Labels)) {
		if !slices.Contains(ownLabels, key) {
			write(digest, key, pod.Labels[key])
		}
	}
	spec := withoutOwn(&pod.Spec)
	if encoded, err := spec.Marshal(); err == nil { // keys are sorted; it fails only on a broken Quantity, which none here is
		write(digest, string(encoded))
	}
	return shape(digest.Sum(nil))
}

// shapeAlone is for a pod that has to be treated by itself: its delegate or its group ties it to a place.
func shapeAlone(pod types.UID) shape { return sha256.Sum256([]byte("alone " + pod)) }

// withoutOwn drops from a spec what tells the pods of one workload apart: the hostname, and the volume with the service
// account's token, whose name is random and which no delegate has.
func withoutOwn(spec *corev1.PodSpec) *corev1.PodSpec {
	shared := *spec
	shared.Hostname = ""
	token := slices.IndexFunc(spec.Volumes, func(v corev1.Volume) bool { return delegate.IsInjectedToken(&v) })
	if token >= 0 {
		volume := spec.Volumes[token].Name
		shared.Volumes = slices.Delete(slices.Clone(spec.Volumes), token, token+1)
		shared.InitContainers = withoutMount(spec.InitContainers, volume)
		shared.Containers = withoutMount(spec.Containers, volume)
	}
	return &shared
}

func withoutMount(containers []corev1.Container, volume string) []corev1.Container {
	shared := slices.Clone(containers)
	for i := range shared {
		shared[i].VolumeMounts = slices.DeleteFunc(slices.Clone(shared[i].VolumeMounts),
			func(m corev1.VolumeMount) bool { return m.Name == volume })
	}
	return shared
}

// write puts each text's length before it, so that no two lists of texts run together to the same.
func write(digest hash.Hash, texts ...string) {
	var length [8]byte
	for _, text := range texts {
		binary.LittleEndian.PutUint64(length[:], uint64(len(text)))
		digest.Write(length[:])
		digest.Write([]byte(text))
	}
}
