package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestPublishedGuidesForAdmiraltyAndLiqoWorkUnchanged(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		label string
		value string
		elect string
	}{
		"Admiralty's label and annotation":      {"multicluster-scheduler", "enabled", "multicluster.admiralty.io/elect"},
		"Admiralty's label, our annotation":     {"multicluster-scheduler", "enabled", v1alpha1.AnnotationElect},
		"Liqo's label, our annotation":          {"liqo.io/scheduling-enabled", "true", v1alpha1.AnnotationElect},
		"our label, Admiralty's annotation":     {v1alpha1.LabelBurst, v1alpha1.BurstEnabled, "multicluster.admiralty.io/elect"},
		"Liqo's label, Admiralty's annotation":  {"liqo.io/scheduling-enabled", "true", "multicluster.admiralty.io/elect"},
		"both in our words, as the guides here": {v1alpha1.LabelBurst, v1alpha1.BurstEnabled, v1alpha1.AnnotationElect},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := givenNamespace(t, source, map[string]string{test.label: test.value})

			s.createPod("guide", annotated(test.elect, ""), captureHeat)

			pod := s.expectRunningOn("guide", heata.name)
			assert.Equal(t, v1alpha1.ElectedTrue, pod.Labels[v1alpha1.LabelElected])
			assert.Equal(t, v1alpha1.SchedulerName, pod.Spec.SchedulerName)
			s.expectDelegate(heata, pod)
		})
	}
}
