package delegate

import (
	"encoding/json"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// The fields of a record; those of containers are followed by the container's name, which the pod's own resources have none of.
const (
	fieldLabels      = "labels"
	fieldAnnotations = "annotations"
	fieldDeadline    = "deadline"
	fieldTolerations = "tolerations"
	fieldImage       = "image/"
	fieldResources   = "resources/"
)

// record is what a delegate says, in an annotation, of what was last sent to it. Without it two things could not be told
// apart: a label that the source has lost, and one that the target has added; an image that the source has changed, and one
// that the target's admission takes from a mirror of its own. The one is to be sent, and the other to be left alone.
type record struct {
	Labels      []string          `json:"labels,omitempty"`      // their keys
	Annotations []string          `json:"annotations,omitempty"` // their keys
	Digests     map[string]string `json:"digests,omitempty"`     // of the fields as they were sent
}

// recordOf describes what is being sent.
func recordOf(source, sent *corev1.Pod) record {
	r := record{
		Labels:      keysSent(sent.Labels),
		Annotations: keysSent(sent.Annotations),
		Digests: map[string]string{
			fieldLabels:      digestOfMap(sent.Labels),
			fieldAnnotations: digestOfMap(sent.Annotations),
			fieldTolerations: digestOfTolerations(source.Spec.Tolerations),
			fieldDeadline:    digestOfSeconds(source.Spec.ActiveDeadlineSeconds),
			fieldResources:   digestOfResources(source.Spec.Resources),
		},
	}
	eachContainer(&source.Spec, func(_ string, c *corev1.Container) {
		r.Digests[fieldImage+c.Name] = digest(c.Image)
		r.Digests[fieldResources+c.Name] = digestOfResources(&c.Resources)
	})
	return r
}

// oweResize keeps in a record what was sent before of resources that are still to be changed. Their patch is another one: if
// it is refused it must be tried again.
func (r record) oweResize(resize fields, last *record) {
	owe := func(field string) {
		delete(r.Digests, field)
		if last != nil {
			r.Digests[field] = last.Digests[field]
		}
	}
	for _, list := range []string{"initContainers", "containers"} {
		changed, _ := resize[list].([]fields)
		for _, container := range changed {
			owe(fieldResources + container["name"].(string))
		}
	}
	if _, ok := resize["resources"]; ok {
		owe(fieldResources)
	}
}

// readRecord is nil where there is none that can be read: of a delegate that an older version has sent, for example.
func readRecord(delegate *corev1.Pod) *record {
	r := &record{}
	if err := json.Unmarshal([]byte(delegate.Annotations[v1alpha1.AnnotationSent]), r); err != nil {
		return nil
	}
	return r
}

func (r record) write(pod *corev1.Pod) {
	maps.DeleteFunc(r.Digests, func(_, digest string) bool { return digest == "" })
	data, _ := json.Marshal(r) // strings only: it cannot fail
	pod.Annotations[v1alpha1.AnnotationSent] = string(data)
}

// wasSent tells that a field was sent as it is now, so that a difference is the target's own doing.
func (r *record) wasSent(field, digest string) bool {
	return r != nil && r.Digests[field] == digest
}

func (r *record) labels() *sentStrings {
	if r == nil {
		return nil
	}
	return &sentStrings{keys: r.Labels, digest: r.Digests[fieldLabels]}
}

func (r *record) annotations() *sentStrings {
	if r == nil {
		return nil
	}
	return &sentStrings{keys: r.Annotations, digest: r.Digests[fieldAnnotations]}
}

// sentStrings are the labels or annotations that were last sent.
type sentStrings struct {
	keys   []string
	digest string
}

// keysSent leaves out what marks a delegate as ours: it is never taken away.
func keysSent(sent map[string]string) []string {
	keys := slices.Sorted(maps.Keys(sent))
	return slices.DeleteFunc(keys, func(key string) bool { return strings.HasPrefix(key, ownPrefix) })
}

func eachContainer(spec *corev1.PodSpec, do func(list string, c *corev1.Container)) {
	for i := range spec.InitContainers {
		do("initContainers", &spec.InitContainers[i])
	}
	for i := range spec.Containers {
		do("containers", &spec.Containers[i])
	}
}

// digest of nothing is empty, and is not written down. It tells one value from the next of the same pod, and guards nothing.
func digest(parts ...string) string {
	if len(parts) == 0 {
		return ""
	}
	sum := fnv.New64a()
	for _, part := range parts {
		_, _ = sum.Write([]byte(part)) // cannot fail
		_, _ = sum.Write([]byte{0})
	}
	return strconv.FormatUint(sum.Sum64(), 36)
}

func digestOfMap(m map[string]string) string {
	parts := make([]string, 0, 2*len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, key, m[key])
	}
	return digest(parts...)
}

func digestOfTolerations(tolerations []corev1.Toleration) string {
	parts := make([]string, 0, 5*len(tolerations))
	for i := range tolerations {
		t := &tolerations[i]
		parts = append(parts, t.Key, string(t.Operator), t.Value, string(t.Effect), digestOfSeconds(t.TolerationSeconds))
	}
	return digest(parts...)
}

func digestOfSeconds(seconds *int64) string {
	if seconds == nil {
		return ""
	}
	return strconv.FormatInt(*seconds, 10)
}

func digestOfResources(r *corev1.ResourceRequirements) string {
	if r == nil {
		return ""
	}
	var parts []string
	add := func(kind string, list corev1.ResourceList) {
		for _, name := range resizable {
			if q, ok := list[name]; ok {
				parts = append(parts, kind, string(name), q.String())
			}
		}
	}
	add("requests", r.Requests)
	add("limits", r.Limits)
	return digest(parts...)
}
