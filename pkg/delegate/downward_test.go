package delegate_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/delegate"
)

func fieldRef(path string) *corev1.ObjectFieldSelector {
	return &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path}
}

func TestDownwardEnvironmentIsTheSources(t *testing.T) {
	tests := map[string]struct {
		path string
		want corev1.EnvVar
	}{
		"name":                      {path: "metadata.name", want: corev1.EnvVar{Value: "render-0-x8vbz"}},
		"namespace":                 {path: "metadata.namespace", want: corev1.EnvVar{Value: "media"}},
		"UID":                       {path: "metadata.uid", want: corev1.EnvVar{Value: "0f7a9f11-1111-4222-8333-944445555666"}},
		"service account":           {path: "spec.serviceAccountName", want: corev1.EnvVar{Value: "render"}},
		"a label":                   {path: "metadata.labels['batch.kubernetes.io/job-completion-index']", want: corev1.EnvVar{Value: "0"}},
		"a label kept elsewhere":    {path: "metadata.labels['batch.kubernetes.io/controller-uid']", want: corev1.EnvVar{Value: "c0ffee"}},
		"a label that is not there": {path: "metadata.labels['none']", want: corev1.EnvVar{}},
		"an annotation":             {path: "metadata.annotations['team']", want: corev1.EnvVar{Value: "vfx"}},
		"a value is not expanded":   {path: "metadata.annotations['price']", want: corev1.EnvVar{Value: "$$(HOME) $$$$5"}},
		"the node where it runs":    {path: "spec.nodeName", want: corev1.EnvVar{ValueFrom: &corev1.EnvVarSource{FieldRef: fieldRef("spec.nodeName")}}},
		"its address":               {path: "status.podIP", want: corev1.EnvVar{ValueFrom: &corev1.EnvVarSource{FieldRef: fieldRef("status.podIP")}}},
		"the region where it runs": {path: "metadata.labels['topology.kubernetes.io/region']",
			want: corev1.EnvVar{ValueFrom: &corev1.EnvVarSource{FieldRef: fieldRef("metadata.labels['topology.kubernetes.io/region']")}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			source := jobPod()
			source.Annotations["price"] = "$(HOME) $$5"
			env := []corev1.EnvVar{{Name: "X", ValueFrom: &corev1.EnvVarSource{FieldRef: fieldRef(tt.path)}}}
			source.Spec.Containers[0].Env = env
			source.Spec.InitContainers = []corev1.Container{{Name: "prepare", Env: env}}

			got, err := delegate.New(source, heata())

			require.NoError(t, err)
			tt.want.Name = "X"
			assert.Equal(t, []corev1.EnvVar{tt.want}, got.Spec.Containers[0].Env)
			assert.Equal(t, []corev1.EnvVar{tt.want}, got.Spec.InitContainers[0].Env)
		})
	}
}

func TestDownwardFilesPointAtTheSourcesValues(t *testing.T) {
	tests := map[string]struct{ path, annotation, value string }{
		"name":                     {path: "metadata.name", annotation: "spillway.dev/source-name", value: "render-0-x8vbz"},
		"namespace":                {path: "metadata.namespace", annotation: "spillway.dev/source-namespace", value: "media"},
		"UID":                      {path: "metadata.uid", annotation: "spillway.dev/source-uid", value: "0f7a9f11-1111-4222-8333-944445555666"},
		"a label that moved":       {path: "metadata.labels['batch.kubernetes.io/controller-uid']", value: "c0ffee"},
		"a label that stays":       {path: "metadata.labels['app']"},
		"an annotation that stays": {path: "metadata.annotations['team']"},
		"all labels":               {path: "metadata.labels"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			source := jobPod()
			items := []corev1.DownwardAPIVolumeFile{{Path: "f", FieldRef: fieldRef(tt.path)}}
			source.Spec.Volumes = []corev1.Volume{
				{Name: "a", VolumeSource: corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: items}}},
				{Name: "b", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
					Sources: []corev1.VolumeProjection{{DownwardAPI: &corev1.DownwardAPIProjection{Items: items}}}}}},
			}

			got, err := delegate.New(source, heata())

			require.NoError(t, err)
			file := got.Spec.Volumes[0].DownwardAPI.Items[0].FieldRef.FieldPath
			assert.Equal(t, file, got.Spec.Volumes[1].Projected.Sources[0].DownwardAPI.Items[0].FieldRef.FieldPath)
			if tt.value == "" {
				assert.Equal(t, tt.path, file)
				return
			}
			delete(got.Annotations, v1alpha1.AnnotationSent)
			require.Len(t, got.Annotations, 2, "team, and the one for the file")
			delete(got.Annotations, "team")
			for key, value := range got.Annotations {
				assert.Equal(t, "metadata.annotations['"+key+"']", file)
				assert.Equal(t, tt.value, value)
				assert.Contains(t, key, tt.annotation)
			}
		})
	}
}
