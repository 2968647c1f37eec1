package delegate

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// The kinds of a Reference.
const (
	KindConfigMap = "ConfigMap"
	KindSecret    = "Secret"
)

// Reference names an object that a pod needs to start.
type Reference struct {
	Kind, Name string
	// Optional says that the pod starts without it. Image pull secrets are: a kubelet goes on without those it lacks.
	Optional bool
}

// References lists the ConfigMaps and Secrets that a source pod references, by their names in the source, sorted and
// each once; what is needed in one place and optional in another is needed. Ephemeral containers' are included.
func References(pod *corev1.Pod) []Reference {
	found := map[Reference]bool{} // Optional is false in the keys, and is the value
	visitReferences(&pod.Spec, func(kind string, name *string, optional bool) {
		key := Reference{Kind: kind, Name: *name}
		seen, ok := found[key]
		found[key] = optional && (seen || !ok)
	})
	references := make([]Reference, 0, len(found))
	for reference, optional := range found {
		reference.Optional = optional
		references = append(references, reference)
	}
	slices.SortFunc(references, func(a, b Reference) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return references
}

func renameReferences(spec *corev1.PodSpec, sourceCluster, sourceNamespace string) {
	visitReferences(spec, func(_ string, name *string, _ bool) {
		*name = ShippedName(sourceCluster, sourceNamespace, *name)
	})
}

// visitor is called with each reference in a spec; it may change the name.
type visitor func(kind string, name *string, optional bool)

// visitReferences is the one walk that both lists and renames, so that nothing is renamed that was not shipped.
func visitReferences(spec *corev1.PodSpec, visit visitor) {
	named := func(kind string, name *string, optional *bool) {
		if *name != "" { // accepted by API servers since old times; it names nothing
			visit(kind, name, optional != nil && *optional)
		}
	}
	for i := range spec.ImagePullSecrets {
		always := true
		named(KindSecret, &spec.ImagePullSecrets[i].Name, &always)
	}
	for i := range spec.InitContainers {
		visitContainer(&spec.InitContainers[i], named)
	}
	for i := range spec.Containers {
		visitContainer(&spec.Containers[i], named)
	}
	for i := range spec.EphemeralContainers {
		visitContainer((*corev1.Container)(&spec.EphemeralContainers[i].EphemeralContainerCommon), named)
	}
	for i := range spec.Volumes {
		if !IsInjectedToken(&spec.Volumes[i]) {
			visitVolume(&spec.Volumes[i].VolumeSource, named)
		}
	}
}

func visitContainer(container *corev1.Container, named func(string, *string, *bool)) {
	for i := range container.EnvFrom {
		if ref := container.EnvFrom[i].ConfigMapRef; ref != nil {
			named(KindConfigMap, &ref.Name, ref.Optional)
		}
		if ref := container.EnvFrom[i].SecretRef; ref != nil {
			named(KindSecret, &ref.Name, ref.Optional)
		}
	}
	for i := range container.Env {
		from := container.Env[i].ValueFrom
		if from == nil {
			continue
		}
		if ref := from.ConfigMapKeyRef; ref != nil {
			named(KindConfigMap, &ref.Name, ref.Optional)
		}
		if ref := from.SecretKeyRef; ref != nil {
			named(KindSecret, &ref.Name, ref.Optional)
		}
	}
}

func visitVolume(volume *corev1.VolumeSource, named func(string, *string, *bool)) {
	switch {
	case volume.ConfigMap != nil:
		named(KindConfigMap, &volume.ConfigMap.Name, volume.ConfigMap.Optional)
	case volume.Secret != nil:
		named(KindSecret, &volume.Secret.SecretName, volume.Secret.Optional)
	case volume.AzureFile != nil:
		named(KindSecret, &volume.AzureFile.SecretName, nil)
	case volume.Projected != nil:
		visitProjections(volume.Projected.Sources, named)
	default:
		if ref := mountSecret(volume); ref != nil {
			named(KindSecret, &ref.Name, nil)
		}
	}
}

func visitProjections(sources []corev1.VolumeProjection, named func(string, *string, *bool)) {
	for i := range sources {
		if ref := sources[i].ConfigMap; ref != nil {
			named(KindConfigMap, &ref.Name, ref.Optional)
		}
		if ref := sources[i].Secret; ref != nil {
			named(KindSecret, &ref.Name, ref.Optional)
		}
	}
}

// mountSecret returns the Secret that a kubelet mounts a network volume with.
func mountSecret(volume *corev1.VolumeSource) *corev1.LocalObjectReference {
	switch {
	case volume.CSI != nil:
		return volume.CSI.NodePublishSecretRef
	case volume.ISCSI != nil:
		return volume.ISCSI.SecretRef
	case volume.CephFS != nil:
		return volume.CephFS.SecretRef
	case volume.RBD != nil:
		return volume.RBD.SecretRef
	case volume.Cinder != nil:
		return volume.Cinder.SecretRef
	case volume.FlexVolume != nil:
		return volume.FlexVolume.SecretRef
	case volume.ScaleIO != nil:
		return volume.ScaleIO.SecretRef
	case volume.StorageOS != nil:
		return volume.StorageOS.SecretRef
	default:
		return nil
	}
}
