package report_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/report"
)

var notFound = apierrors.NewNotFound(schema.GroupResource{}, "spillway-elect")

func TestWriteFindings(t *testing.T) {
	good, bad, self := readyTarget("heata"), brokenTarget("cloud"), readyTarget("local")
	self.Spec.Self = true
	established := []metav1.Condition{condition("Established", metav1.ConditionTrue, "InitialNamesAccepted", "")}
	invalid := []metav1.Condition{condition(v1alpha1.ConditionValid, metav1.ConditionFalse, "InvalidWeights", "spec.weights: all are zero")}
	tests := map[string]struct {
		findings [][]report.Finding
		golden   string
	}{
		"all is well": {[][]report.Finding{
			{report.CheckCRD("targets.spillway.dev", established, nil), report.CheckObject("MutatingAdmissionPolicy", "spillway-elect", nil)},
			{report.CheckController([]v1alpha1.Target{good, self}, []coordinationv1.Lease{lease("spillway-heata", 3*time.Second)}, now)},
			report.CheckTarget(&good),
		}, "check-well"},
		"nothing is": {[][]report.Finding{
			{report.CheckCRD("targets.spillway.dev", nil, nil), report.CheckObject("MutatingAdmissionPolicy", "spillway-elect", notFound)},
			{report.CheckController([]v1alpha1.Target{good}, []coordinationv1.Lease{lease("spillway-heata", 2*time.Minute)}, now)},
			report.CheckTarget(&bad),
			{report.CheckPolicy("placementpolicy greenest -n renders", invalid)},
		}, "check-broken"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var findings []report.Finding
			for _, some := range test.findings {
				findings = append(findings, some...)
			}
			golden(t, test.golden, func(out *bytes.Buffer) error { return report.WriteFindings(out, findings) })
		})
	}
}

func TestCheckController(t *testing.T) {
	behind, self := readyTarget("heata"), readyTarget("local")
	behind.Generation = 2
	self.Spec.Self = true
	fresh, foreign := lease("spillway-heata", -time.Second), lease("source-1", time.Second)
	tests := map[string]struct {
		targets []v1alpha1.Target
		leases  []coordinationv1.Lease
		ok      bool
		detail  string
	}{
		"no target shows nothing":            {nil, nil, false, "there is no Target yet"},
		"the source alone shows nothing":     {[]v1alpha1.Target{self}, nil, false, "there is no Target yet"},
		"a spec that has not been read":      {[]v1alpha1.Target{behind}, []coordinationv1.Lease{fresh}, false, "has not read generation 2"},
		"a local node's lease is not ours":   {[]v1alpha1.Target{readyTarget("heata")}, []coordinationv1.Lease{foreign}, false, "no virtual node for any of 1"},
		"a lease from a clock that is ahead": {[]v1alpha1.Target{readyTarget("heata")}, []coordinationv1.Lease{fresh}, true, "spillway-heata 0s ago"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := report.CheckController(test.targets, test.leases, now)
			assert.Equal(t, test.ok, f.OK)
			assert.Contains(t, f.Detail, test.detail)
			assert.Equal(t, test.ok, f.Remedy == "", "a remedy exactly when it failed")
		})
	}
}

func TestCheckObject(t *testing.T) {
	noKind := &meta.NoKindMatchError{GroupKind: schema.GroupKind{Kind: "MutatingAdmissionPolicy"}}
	tests := map[string]struct {
		err    error
		remedy string
	}{
		"missing":                  {notFound, "kubectl apply -k deploy"},
		"an older API server":      {noKind, "Kubernetes 1.36"},
		"one that may not be read": {errors.New("forbidden"), "administrator"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := report.CheckObject("MutatingAdmissionPolicy", "spillway-elect", test.err)
			assert.False(t, f.OK)
			assert.Contains(t, f.Remedy, test.remedy)
		})
	}
}

func TestATargetThatIsCordonedOnPurposeIsWell(t *testing.T) {
	cordoned := readyTarget("heata")
	cordoned.Spec.Unschedulable = true
	meta.SetStatusCondition(&cordoned.Status.Conditions, condition(v1alpha1.ConditionReady, metav1.ConditionFalse, "Unschedulable", "no new pods"))
	assert.Zero(t, report.Failed(report.CheckTarget(&cordoned)))
}

func lease(name string, age time.Duration) coordinationv1.Lease {
	return coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: coordinationv1.LeaseSpec{RenewTime: &metav1.MicroTime{Time: now.Add(-age)}}}
}

func TestCheckPolicy(t *testing.T) {
	valid := condition(v1alpha1.ConditionValid, metav1.ConditionTrue, "Compiled", "pods are placed by it")
	tests := map[string]struct {
		conditions []metav1.Condition
		ok         bool
		detail     string
	}{
		"a policy that nobody has read":      {nil, false, "has not been reported yet"},
		"a valid policy":                     {[]metav1.Condition{valid}, true, "pods are placed by it"},
		"a policy that lets pods burst":      {[]metav1.Condition{valid, condition(v1alpha1.ConditionEffective, metav1.ConditionTrue, "TargetsMatch", "2 of 2")}, true, "2 of 2"},
		"a policy that excludes all targets": {[]metav1.Condition{valid, condition(v1alpha1.ConditionEffective, metav1.ConditionFalse, "NoTargetMatches", "none")}, false, "NoTargetMatches: none"},
		"an invalid one says that first": {[]metav1.Condition{condition(v1alpha1.ConditionEffective, metav1.ConditionFalse, "NoTargets", "none"),
			condition(v1alpha1.ConditionValid, metav1.ConditionFalse, "Invalid", "bad")}, false, "Invalid: bad"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := report.CheckPolicy("placementpolicy p", test.conditions)
			assert.Equal(t, test.ok, f.OK)
			assert.Equal(t, test.detail, f.Detail)
			assert.Equal(t, test.ok, f.Remedy == "")
		})
	}
}
