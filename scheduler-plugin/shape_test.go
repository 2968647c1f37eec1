package schedulerplugin

import (
	"testing"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// withToken adds what admission adds: a volume of a random name, and its mount.
func withToken(name string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Spec.Volumes = []corev1.Volume{{Name: name, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token"}}}}}}}
		pod.Spec.Containers = []corev1.Container{{Name: "main", VolumeMounts: []corev1.VolumeMount{{Name: name, MountPath: "/var/run"}}}}
	}
}

func withLabel(key, value string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Labels[key] = value }
}

func TestPodsOfOneShapeArePlacedAlike(t *testing.T) {
	change := func(do func(*corev1.Pod)) []func(*corev1.Pod) {
		return []func(*corev1.Pod){withToken("kube-api-access-aaaaa"), do}
	}
	tests := map[string]struct {
		other []func(*corev1.Pod)
		want  bool
	}{
		"another name and UID": {change(func(p *corev1.Pod) { p.Name, p.UID = "web-2", "uid-2" }), true},
		"another token volume": {[]func(*corev1.Pod){withToken("kube-api-access-bbbbb")}, true},
		"another index":        {change(withLabel("batch.kubernetes.io/job-completion-index", "7")), true},
		"another hostname":     {change(func(p *corev1.Pod) { p.Spec.Hostname = "web-7" }), true},
		"another annotation":   {change(func(p *corev1.Pod) { p.Annotations["team"] = "vfx" }), true},
		"another policy":       {change(func(p *corev1.Pod) { p.Annotations[v1alpha1.AnnotationPolicy] = "cheap" }), false},
		"another label":        {change(withLabel("app", "db")), false},
		"another namespace":    {change(func(p *corev1.Pod) { p.Namespace = "blog" }), false},
		"another image":        {change(func(p *corev1.Pod) { p.Spec.Containers[0].Image = "db" }), false},
		"a volume that only looks like the token": {change(func(p *corev1.Pod) {
			p.Spec.Volumes[0].VolumeSource = corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}
		}), false},
		"other requests": {change(func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}
		}), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			first, other := electedPod(withToken("kube-api-access-aaaaa")), electedPod(tt.other...)

			assert.Equal(t, tt.want, shapeOf(first) == shapeOf(other))
		})
	}
}

func TestLabelsDoNotRunTogether(t *testing.T) {
	assert.NotEqual(t, shapeOf(electedPod(withLabel("a", "bc"))), shapeOf(electedPod(withLabel("ab", "c"))))
}
