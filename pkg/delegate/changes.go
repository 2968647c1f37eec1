package delegate

import (
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// resizable are the resources that an API server lets change in a running pod.
var resizable = []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory}

// Changes are what a source pod has become since its delegate was sent: strategic merge patches of the delegate, nil where
// there is nothing to send. Each has the delegate's UID, so that it never reaches another pod of that name.
type Changes struct {
	Pod       []byte // labels, annotations, images, deadline and tolerations
	Resize    []byte // for the subresource resize
	Ephemeral []byte // for the subresource ephemeralcontainers
	// Refused says which ephemeral containers are not sent, and why.
	Refused []string
}

// ChangesOf compares a source pod with its delegate. What the target itself has changed is left as it is, as long as the
// source does not change the same. Errors are those of encoding JSON.
func ChangesOf(source, delegate *corev1.Pod, o Options) (Changes, error) {
	var c Changes
	last := readRecord(delegate)
	spec, resize := specPatch(&source.Spec, &delegate.Spec, last), resizePatch(&source.Spec, &delegate.Spec, last)
	sent := sentPod(source, o)
	metadata := fields{}
	metadata.strings("labels", delegate.Labels, sent.Labels, last.labels())
	metadata.strings("annotations", delegate.Annotations, sent.Annotations, last.annotations())
	added, refused := addedEphemeral(source, delegate, o)
	c.Refused = refused
	if len(metadata) > 0 || len(spec) > 0 {
		r := recordOf(source, sent)
		r.oweResize(resize, last)
		r.write(sent)
		annotations, _ := metadata["annotations"].(fields)
		if annotations == nil {
			annotations = fields{}
			metadata["annotations"] = annotations
		}
		annotations[v1alpha1.AnnotationSent] = sent.Annotations[v1alpha1.AnnotationSent]
	}
	var err error
	if c.Pod, err = patchOf(delegate, metadata, spec); err != nil {
		return c, err
	}
	if c.Resize, err = patchOf(delegate, fields{}, resize); err != nil {
		return c, err
	}
	ephemeral := fields{}
	if len(added) > 0 {
		ephemeral["ephemeralContainers"] = added
	}
	c.Ephemeral, err = patchOf(delegate, fields{}, ephemeral)
	return c, err
}

// sentPod has the labels and annotations that a delegate should have.
func sentPod(source *corev1.Pod, o Options) *corev1.Pod {
	sent := &corev1.Pod{Spec: *source.Spec.DeepCopy()}
	describe(sent, source, o)
	dropInjectedToken(&sent.Spec) // which has a downward API file of its own
	resolveDownward(sent, source)
	return sent
}

// isCurrent tells whether a delegate's spec is the source's of now, so that what its kubelet has observed of the one is true
// of the other.
func isCurrent(source, delegate *corev1.Pod) bool {
	if source.DeletionTimestamp != nil && delegate.DeletionTimestamp == nil {
		return false
	}
	last := readRecord(delegate)
	for i := range source.Spec.EphemeralContainers {
		if !hasEphemeral(delegate, source.Spec.EphemeralContainers[i].Name) {
			return false
		}
	}
	return len(specPatch(&source.Spec, &delegate.Spec, last)) == 0 && len(resizePatch(&source.Spec, &delegate.Spec, last)) == 0
}

// specPatch has what an update of a pod may change.
func specPatch(source, delegate *corev1.PodSpec, last *record) fields {
	spec := fields{}
	eachContainer(source, func(list string, c *corev1.Container) {
		has := containerOf(delegate, list, c.Name)
		if has != nil && has.Image != c.Image && !last.wasSent(fieldImage+c.Name, digest(c.Image)) {
			spec.add(list, fields{"name": c.Name, "image": c.Image})
		}
	})
	wants, has := source.ActiveDeadlineSeconds, delegate.ActiveDeadlineSeconds
	if wants != nil && (has == nil || *has != *wants) && !last.wasSent(fieldDeadline, digestOfSeconds(wants)) {
		spec["activeDeadlineSeconds"] = *wants
	}
	if missing := missingTolerations(source, delegate); len(missing) > 0 && !last.wasSent(fieldTolerations, digestOfTolerations(source.Tolerations)) {
		spec["tolerations"] = slices.Concat(delegate.Tolerations, missing) // a patch replaces them all
	}
	return spec
}

func missingTolerations(source, delegate *corev1.PodSpec) []corev1.Toleration {
	return keep(source.Tolerations, func(t corev1.Toleration) bool {
		return t.Key != v1alpha1.TaintProvider && !slices.ContainsFunc(delegate.Tolerations, func(has corev1.Toleration) bool {
			return equality.Semantic.DeepEqual(t, has)
		})
	})
}

// resizePatch has what a resize may change. A resource that the source does not name is the target's to default.
func resizePatch(source, delegate *corev1.PodSpec, last *record) fields {
	spec := fields{}
	eachContainer(source, func(list string, c *corev1.Container) {
		has := containerOf(delegate, list, c.Name)
		if has == nil {
			return
		}
		changed := resized(&has.Resources, &c.Resources)
		if len(changed) > 0 && !last.wasSent(fieldResources+c.Name, digestOfResources(&c.Resources)) {
			spec.add(list, fields{"name": c.Name, "resources": changed})
		}
	})
	changed := resized(delegate.Resources, source.Resources)
	if len(changed) > 0 && !last.wasSent(fieldResources, digestOfResources(source.Resources)) {
		spec["resources"] = changed
	}
	return spec
}

// resized has what differs, for containers as for pods, which may have no resources of their own.
func resized(has, wants *corev1.ResourceRequirements) fields {
	if wants == nil {
		return fields{}
	}
	if has == nil {
		has = &corev1.ResourceRequirements{}
	}
	changed := fields{}
	changed.resized("requests", has.Requests, wants.Requests)
	changed.resized("limits", has.Limits, wants.Limits)
	return changed
}

func containerOf(spec *corev1.PodSpec, list, name string) *corev1.Container {
	containers := spec.Containers
	if list == "initContainers" {
		containers = spec.InitContainers
	}
	if i := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == name }); i >= 0 {
		return &containers[i]
	}
	return nil
}

func patchOf(delegate *corev1.Pod, metadata, spec fields) ([]byte, error) {
	if len(metadata) == 0 && len(spec) == 0 {
		return nil, nil
	}
	metadata["uid"] = delegate.UID
	patch := fields{"metadata": metadata}
	if len(spec) > 0 {
		patch["spec"] = spec
	}
	data, err := json.Marshal(patch)
	if err != nil {
		return nil, fmt.Errorf("encoding the changes of delegate %s/%s: %w", delegate.Namespace, delegate.Name, err)
	}
	return data, nil
}
