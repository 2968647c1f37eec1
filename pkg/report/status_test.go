package report_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
	"github.com/spillway-dev/spillway/pkg/report"
)

func TestWriteTargets(t *testing.T) {
	fresh := v1alpha1.Target{ObjectMeta: metav1.ObjectMeta{Name: "fresh"}}
	tests := map[string]struct {
		objects []v1alpha1.Target
		golden  string
	}{
		"all are ready, so no reasons":            {[]v1alpha1.Target{readyTarget("heata"), readyTarget("alpha")}, "targets-ready"},
		"one is broken and one has no status yet": {[]v1alpha1.Target{readyTarget("heata"), brokenTarget("cloud"), fresh}, "targets-broken"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			golden(t, test.golden, func(out *bytes.Buffer) error { return report.WriteTargets(out, report.Targets(test.objects)) })
		})
	}
}

func TestWritePods(t *testing.T) {
	ending := placed(t, "ending", record("heata", heata()))
	ending.DeletionTimestamp = &metav1.Time{Time: now}
	tampered := placed(t, "tampered", record("heata", heata()))
	tampered.Annotations[v1alpha1.AnnotationPlacement] = "{}"
	byHand := elected("by-hand")
	byHand.Spec.NodeName = "source-2"
	hostile := pending("hostile", "0/2 places fit: cloud: \x1b[2J\nReady.")
	pods := []corev1.Pod{
		placed(t, "web-remote", record("heata", heata(), cloud(), refused(local(), "2 Insufficient cpu"))),
		placed(t, "web-local", record("", local(), heata(), cloud())),
		placed(t, "render", record("heata", heata(), refused(cloud(), "4 node(s) didn't match Pod's node affinity/selector"))),
		ending, tampered, byHand, hostile, elected("new"),
		pending("big", "0/2 places fit: cloud: 4 Insufficient cpu; local: 2 Insufficient cpu"),
	}
	golden(t, "pods", func(out *bytes.Buffer) error { return report.WritePods(out, report.Pods(pods)) })
}

func TestPodsOfAnyModeAreWhereTheirScoreIsBest(t *testing.T) {
	r := record("", local(), heata(), cloud())
	r.Mode = v1alpha1.ModeAny
	pods := report.Pods([]corev1.Pod{placed(t, "web", r)})
	assert.Equal(t, "local", pods[0].Place)
	assert.Equal(t, "best of 3: total 63 (cost 0.6765, carbon 0.1233, capacity 0), next heata with 100", pods[0].Why)
}

func TestWriteAlternatives(t *testing.T) {
	full := refused(local(), "2 Insufficient cpu")
	dollars := cloud()
	dollars.Currency = "USD"
	tests := map[string]struct {
		records []placement.Record
		golden  string
	}{
		"pods are counted where they went and costs summed everywhere": {
			[]placement.Record{record("", local(), heata(), cloud()), record("heata", heata(), cloud(), local())}, "alternatives"},
		"a place that refused has no cost and says why": {
			[]placement.Record{record("", local(), heata()), record("heata", heata(), full)}, "alternatives-refused"},
		"costs in two currencies are not summed": {
			[]placement.Record{record("heata", heata(), cloud()), record("heata", heata(), dollars)}, "alternatives-currencies"},
		"a place that joined in between has no sums": {
			[]placement.Record{record("heata", heata()), record("heata", heata(), cloud())}, "alternatives-joined"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			golden(t, test.golden, func(out *bytes.Buffer) error { return report.WriteAlternatives(out, report.Compare(test.records)) })
		})
	}
}
