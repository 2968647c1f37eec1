package report_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/report"
)

var allowed = map[string]string{v1alpha1.LabelBurst: v1alpha1.BurstEnabled}

func TestWriteExplanation(t *testing.T) {
	plain := corev1.Pod{}
	plain.Namespace, plain.Name, plain.Spec.NodeName, plain.Status.Phase = "plain", "web", "source-1", corev1.PodRunning
	omitted := record("heata", heata(), cloud())
	omitted.Omitted = 12
	stays := heata()
	stays.Sticky, stays.Scores.Cost = true, "0.9615"
	byHand := elected("by-hand")
	byHand.Spec.NodeName = "source-2"
	unreachable := "cloud: target unreachable: https://cloud.example does not answer (dial tcp; refused): check the network; " +
		"heata, spot: 4 Insufficient cpu; local: 2 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never."
	tests := map[string]struct {
		pod    corev1.Pod
		labels map[string]string
		golden string
	}{
		"a pod that burst":                      {placed(t, "web", record("heata", heata(), cloud(), refused(local(), "2 Insufficient cpu"))), allowed, "explain-burst"},
		"a pod that went where its owner's are": {placed(t, "web", record("heata", stays, cloud())), allowed, "explain-stays"},
		"a pod that stayed":                     {placed(t, "web", record("", local(), heata(), cloud())), allowed, "explain-local"},
		"a record that leaves places out":       {placed(t, "web", omitted), allowed, "explain-omitted"},
		"a pending pod, place by place":         {pending("big", "0/4 places fit: "+unreachable), allowed, "explain-pending"},
		"a pending pod that no place speaks of": {pending("big", "policy \"renders/greenest\": spec.weights: all are zero"), allowed, "explain-policy"},
		"a pod that nobody has looked at":       {elected("new"), allowed, "explain-new"},
		"a pod that is not elected":             {plain, nil, "explain-plain"},
		"an elected pod bound by somebody else": {byHand, allowed, "explain-by-hand"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := report.Explain(&test.pod, test.labels, []string{"cloud", "heata"})
			golden(t, test.golden, func(out *bytes.Buffer) error { return report.WriteExplanation(out, e) })
		})
	}
}

func TestWhatIsMissing(t *testing.T) {
	annotated := elected("web")
	annotated.Labels, annotated.Spec.SchedulerName = nil, ""
	admiralty := *annotated.DeepCopy()
	admiralty.Annotations = map[string]string{"multicluster.admiralty.io/elect": ""}
	other := *annotated.DeepCopy()
	other.Spec.SchedulerName = "volcano"
	bare := *annotated.DeepCopy()
	bare.Annotations = nil
	tests := map[string]struct {
		pod    corev1.Pod
		labels map[string]string
		want   []string
	}{
		"both":                             {bare, nil, []string{"no annotation spillway.dev/elect", "kubectl label namespace renders spillway.dev/burst=enabled"}},
		"the annotation":                   {bare, allowed, []string{"no annotation spillway.dev/elect"}},
		"the namespace's label":            {annotated, nil, []string{"kubectl label namespace renders"}},
		"nothing but admission":            {annotated, allowed, []string{"no label spillway.dev/elected"}},
		"admission, with aliases for both": {admiralty, map[string]string{"multicluster-scheduler": "enabled"}, []string{"no label spillway.dev/elected"}},
		"our scheduler":                    {other, allowed, []string{"another scheduler, volcano"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := report.Explain(&test.pod, test.labels, nil)
			assert.False(t, e.Elected)
			if assert.Len(t, e.Missing, len(test.want)) {
				for i, want := range test.want {
					assert.Contains(t, e.Missing[i], want)
				}
			}
		})
	}
}

func TestExplanationAsJSONHoldsTheRecord(t *testing.T) {
	pod := placed(t, "web", record("heata", heata(), refused(cloud(), "4 Insufficient cpu")))
	golden(t, "explain-json", func(out *bytes.Buffer) error { return report.WriteJSON(out, report.Explain(&pod, allowed, nil)) })
}
