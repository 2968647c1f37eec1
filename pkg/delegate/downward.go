package delegate

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// resolveDownward makes downward API fields that name the pod say what they say in the source: in the environment by
// writing the value, in files by pointing at an annotation with the value, because a file has no literal.
func resolveDownward(d, source *corev1.Pod) {
	for i := range d.Spec.InitContainers {
		resolveEnv(d.Spec.InitContainers[i].Env, source)
	}
	for i := range d.Spec.Containers {
		resolveEnv(d.Spec.Containers[i].Env, source)
	}
	for i := range d.Spec.Volumes {
		volume := &d.Spec.Volumes[i]
		if volume.DownwardAPI != nil {
			resolveFiles(volume.DownwardAPI.Items, d, source)
		}
		if volume.Projected == nil {
			continue
		}
		for j := range volume.Projected.Sources {
			if projection := volume.Projected.Sources[j].DownwardAPI; projection != nil {
				resolveFiles(projection.Items, d, source)
			}
		}
	}
}

func resolveEnv(env []corev1.EnvVar, source *corev1.Pod) {
	for i := range env {
		if env[i].ValueFrom == nil || env[i].ValueFrom.FieldRef == nil {
			continue
		}
		if value, ok := sourceValue(source, env[i].ValueFrom.FieldRef.FieldPath); ok {
			// A kubelet expands $(VAR) in a literal but not in a field's value; $$ is its way to write a $.
			env[i] = corev1.EnvVar{Name: env[i].Name, Value: strings.ReplaceAll(value, "$", "$$")}
		}
	}
}

func resolveFiles(files []corev1.DownwardAPIVolumeFile, d, source *corev1.Pod) {
	for i := range files {
		if files[i].FieldRef == nil {
			continue
		}
		path := files[i].FieldRef.FieldPath
		value, ok := sourceValue(source, path)
		if own, isMap := mapValue(d, path); !ok || isMap && own == value {
			continue
		}
		key := sourceAnnotation(path)
		d.Annotations[key] = value
		files[i].FieldRef.FieldPath = "metadata.annotations['" + key + "']"
	}
}

// sourceAnnotation returns the annotation that holds the source's value of a field.
func sourceAnnotation(path string) string {
	switch path {
	case "metadata.name", "metadata.namespace", "metadata.uid":
		return sourceValuePrefix + strings.TrimPrefix(path, "metadata.")
	default:
		return sourceValuePrefix + hash(delegateHash, path)
	}
}

// sourceValue returns the source's value of a field, and false for the fields that are about where a pod really runs.
func sourceValue(source *corev1.Pod, path string) (string, bool) {
	switch path {
	case "metadata.name":
		return source.Name, true
	case "metadata.namespace":
		return source.Namespace, true
	case "metadata.uid":
		return string(source.UID), true
	case "spec.serviceAccountName":
		return source.Spec.ServiceAccountName, true
	}
	if key, ok := subscript(path, "metadata.labels"); ok && bindingLabels[key] {
		return "", false
	}
	return mapValue(source, path)
}

// mapValue returns a pod's value of metadata.labels['key'] or metadata.annotations['key']: empty, as for a kubelet, when
// the pod has no such key; false for other paths.
func mapValue(pod *corev1.Pod, path string) (string, bool) {
	if key, ok := subscript(path, "metadata.labels"); ok {
		return pod.Labels[key], true
	}
	key, ok := subscript(path, "metadata.annotations")
	return pod.Annotations[key], ok
}

func subscript(path, field string) (string, bool) {
	rest, ok := strings.CutPrefix(path, field+"['")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, "']")
}
