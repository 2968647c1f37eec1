package groups

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestOf(t *testing.T) {
	label := func(key, value string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { metav1.SetMetaDataLabel(&p.ObjectMeta, key, value) }
	}
	annotation := func(key, value string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { metav1.SetMetaDataAnnotation(&p.ObjectMeta, key, value) }
	}
	ofJob := func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{Kind: "Job", Name: "train", UID: "job-1", Controller: ptr.To(true)}}
	}
	inPodGroup := func(p *corev1.Pod) {
		p.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: ptr.To("train")}
	}
	labelled := Key{Namespace: "ml", Name: "train"}
	job := Key{Namespace: "ml", Name: "train", Kind: KindJob, UID: "job-1"}
	tests := map[string]struct {
		with      []func(*corev1.Pod)
		want      *Asked
		wantError string
	}{
		"most pods are in no group": {},
		"a label names the group, an annotation its size": {
			with: []func(*corev1.Pod){label(v1alpha1.LabelGroup, "train"), annotation(v1alpha1.AnnotationGroupSize, "4")},
			want: &Asked{Key: labelled, Size: 4}},
		"the size may be a label too": {
			with: []func(*corev1.Pod){label(v1alpha1.LabelGroup, "train"), label(v1alpha1.AnnotationGroupSize, "4")},
			want: &Asked{Key: labelled, Size: 4}},
		"a label without a size says what to write": {
			with: []func(*corev1.Pod){label(v1alpha1.LabelGroup, "train")}, wantError: "set the annotation spillway.dev/group-size"},
		"a size that is no number": {
			with:      []func(*corev1.Pod){label(v1alpha1.LabelGroup, "train"), annotation(v1alpha1.AnnotationGroupSize, "four")},
			wantError: `spillway.dev/group-size is "four": write a whole number from 1`},
		"a size of nothing": {
			with:      []func(*corev1.Pod){label(v1alpha1.LabelGroup, "train"), annotation(v1alpha1.AnnotationGroupSize, "0")},
			wantError: "write a whole number"},
		"an annotation makes one group of a Job's pods": {
			with: []func(*corev1.Pod){annotation(v1alpha1.AnnotationGroup, ""), ofJob}, want: &Asked{Key: job}},
		"such a pod may say the size itself": {
			with: []func(*corev1.Pod){annotation(v1alpha1.AnnotationGroup, ""), annotation(v1alpha1.AnnotationGroupSize, "2"), ofJob},
			want: &Asked{Key: job, Size: 2}},
		"an annotation on a pod without a Job says what to write": {
			with: []func(*corev1.Pod){annotation(v1alpha1.AnnotationGroup, "train")}, wantError: "write it as a label"},
		"a PodGroup": {
			with: []func(*corev1.Pod){inPodGroup}, want: &Asked{Key: Key{Namespace: "ml", Name: "train", Kind: KindPodGroup}}},
		"our label is stronger than a PodGroup": {
			with: []func(*corev1.Pod){inPodGroup, label(v1alpha1.LabelGroup, "train"), annotation(v1alpha1.AnnotationGroupSize, "4")},
			want: &Asked{Key: labelled, Size: 4}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ml", Name: "train-0"}}
			for _, with := range test.with {
				with(pod)
			}
			got, err := Of(pod)
			if test.wantError != "" {
				require.ErrorContains(t, err, test.wantError)
				assert.NotNil(t, got, "it is in a group, whatever it says")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

func TestJobSize(t *testing.T) {
	tests := map[string]struct {
		spec      batchv1.JobSpec
		succeeded int32
		want      int
	}{
		"as many as run side by side":              {batchv1.JobSpec{Parallelism: ptr.To[int32](4), Completions: ptr.To[int32](8)}, 0, 4},
		"no more than are to complete":             {batchv1.JobSpec{Parallelism: ptr.To[int32](4), Completions: ptr.To[int32](2)}, 0, 2},
		"no more than are left":                    {batchv1.JobSpec{Parallelism: ptr.To[int32](4), Completions: ptr.To[int32](8)}, 7, 1},
		"a queue of work has no completions":       {batchv1.JobSpec{Parallelism: ptr.To[int32](4)}, 2, 4},
		"the API server's default":                 {batchv1.JobSpec{}, 0, 1},
		"one that is done wants no pod, and a pod": {batchv1.JobSpec{Parallelism: ptr.To[int32](4), Completions: ptr.To[int32](4)}, 4, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			job := &batchv1.Job{Spec: test.spec, Status: batchv1.JobStatus{Succeeded: test.succeeded}}
			assert.Equal(t, test.want, jobSize(job))
		})
	}
}
