package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestPodsThatAreNotElectedOrNotAllowedAreLeftToKubernetes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		labels  map[string]string
		changes []change
	}{
		"not elected, in a namespace that allows bursting":  {labels: burst},
		"elected, in a namespace without label":             {changes: []change{elected}},
		"elected, in a namespace whose label says disabled": {labels: map[string]string{v1alpha1.LabelBurst: "disabled"}, changes: []change{elected}},
		"elected by a label, which is no annotation": {labels: burst, changes: []change{
			func(meta *metav1.ObjectMeta, _ *corev1.PodSpec) {
				metav1.SetMetaDataLabel(meta, v1alpha1.AnnotationElect, "")
			},
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := givenNamespace(t, source, test.labels)

			s.createPod("plain", test.changes...)

			pod := s.expectRunningLocally("plain")
			assert.Equal(t, corev1.DefaultSchedulerName, pod.Spec.SchedulerName)
			assert.NotContains(t, pod.Labels, v1alpha1.LabelElected)
			assert.NotContains(t, pod.Annotations, v1alpha1.AnnotationPlacement)
			s.expectNoDelegates()
		})
	}
}

func TestAPodThatDoesNotFitLocallyWaitsUnlessItIsElected(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)

	s.createPod("plain", captureHeat)
	s.createElected("elected", captureHeat)

	s.expectRunningOn("elected", heata.name)
	s.expectUnschedulable("plain", "nodes are available", "node(s) didn't match", "untolerated taint")
	s.expectNoDelegates(s.getPod("plain"))
}
