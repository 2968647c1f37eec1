package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAPodThatFitsNowhereSaysWhyPlaceByPlace(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		changes []change
		want    []string
	}{
		"more CPU than any node has, though less than all have together": {
			changes: []change{requesting("10", "")},
			want:    []string{" places fit: cloud, heata: 4 Insufficient cpu", "local: 2 Insufficient cpu"},
		},
		"more memory than any node has": {
			changes: []change{requesting("1", "40Gi")},
			want:    []string{" places fit: cloud, heata: 4 Insufficient memory", "local: 2 Insufficient memory"},
		},
		"a node selector that no node matches": {
			changes: []change{func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
				spec.NodeSelector = map[string]string{"disk": "holographic"}
			}},
			want: []string{"cloud, heata: 4 node(s) didn't match", "local: 2 node(s) didn't match"},
		},
		"a region that no target is in": {
			changes: []change{func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
				spec.NodeSelector = map[string]string{corev1.LabelTopologyRegion: "mars"}
			}},
			want: []string{"cloud, heata", "spec.nodeSelector wants topology.kubernetes.io/region=mars, which is not what the Target's labels say",
				"local: 2 node(s) didn't match"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := givenNamespace(t, source, burst)

			s.createElected("waits", test.changes...)

			pod := s.expectUnschedulable("waits", test.want...)
			assert.Equal(t, corev1.PodReasonUnschedulable, podCondition(pod, corev1.PodScheduled).Reason)
			s.expectNoDelegates()
		})
	}
}

func TestARegionInTheNodeSelectorKeepsAPodThere(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)

	s.createElected("resident", func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
		spec.NodeSelector = map[string]string{corev1.LabelTopologyRegion: "eu-west"}
	})

	s.expectRunningOn("resident", cloud.name)
}
