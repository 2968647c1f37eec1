package report_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
	"github.com/spillway-dev/spillway/pkg/report"
)

func answer(t *testing.T, winner, reason, message string, r *placement.Record, supposed ...string) v1alpha1.PlacementReviewStatus {
	t.Helper()
	status := v1alpha1.PlacementReviewStatus{Winner: winner, Supposed: supposed}
	is := metav1.ConditionFalse
	if r != nil {
		raw, err := json.Marshal(r)
		require.NoError(t, err)
		status.Placement, is = &runtime.RawExtension{Raw: raw}, metav1.ConditionTrue
	}
	status.Conditions = []metav1.Condition{condition(v1alpha1.ConditionAnswered, is, reason, message)}
	return status
}

func TestWriteAnswer(t *testing.T) {
	goes := record("cloud", cloud(), refused(heata(), "down, as asked"), refused(local(), "2 Insufficient cpu"))
	stays := record("", local(), heata())
	nowhere := record("", refused(cloud(), "price 0.14 GBP/h over the policy's limit 0.1"), refused(heata(), "4 Insufficient cpu"), refused(local(), "2 Insufficient cpu"))
	nowhere.Node = ""
	web, big := placed(t, "web", record("heata", heata(), cloud())), pending("big", "")
	tests := map[string]struct {
		pod    *corev1.Pod
		status v1alpha1.PlacementReviewStatus
		golden string
	}{
		"a placed pod if its target were down": {&web, answer(t, "cloud", "PlaceFound", "", &goes, "it is placed anew", "heata is down"), "answer-down"},
		"a pending pod":                        {&big, answer(t, "", "NoPlaceFits", "", &nowhere), "answer-pending"},
		"a pending pod with other weights":     {&big, answer(t, "", "NoPlaceFits", "", &nowhere, "the weights are cost=1, carbon=0, capacity=0"), "answer-pending-weights"},
		"a pod that would stay":                {&big, answer(t, "local", "PlaceFound", "", &stays), "answer-local"},
		"a pod refused as such":                {&big, answer(t, "", "PodRefused", "PlacementPolicy renders/greenest does not exist", nil), "answer-refused"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e, err := report.Explain(test.pod, allowed, nil).WithAnswer(test.status)
			require.NoError(t, err)
			golden(t, test.golden, func(out *bytes.Buffer) error { return report.WriteExplanation(out, e) })
		})
	}
	e, err := report.Explanation{Kind: "Deployment", Namespace: "shop", Name: "web"}.WithAnswer(tests["a placed pod if its target were down"].status)
	require.NoError(t, err)
	golden(t, "answer-manifest", func(out *bytes.Buffer) error { return report.WriteExplanation(out, e) })
	golden(t, "answer-json", func(out *bytes.Buffer) error { return report.WriteJSON(out, e) })
}

func TestAQuestionThatCannotBeAnsweredIsAnError(t *testing.T) {
	_, err := report.Explanation{}.WithAnswer(answer(t, "", "TargetUnknown", "there is no Target mars", nil))
	require.EqualError(t, err, "there is no Target mars")
	_, err = report.Explanation{}.WithAnswer(v1alpha1.PlacementReviewStatus{})
	require.Error(t, err)
}

func TestAPodThatCannotBeAskedAboutShowsItsLastTry(t *testing.T) {
	pod := pending("big", "0/2 places fit: heata: 4 Insufficient cpu; local: 2 Insufficient cpu")
	e := report.Explain(&pod, allowed, []string{"heata"})
	e.NotLive = "no answer within 10s"
	golden(t, "answer-none", func(out *bytes.Buffer) error { return report.WriteExplanation(out, e) })
	assert.Len(t, e.Refusals, 2)
}

func TestAWorkloadThatIsNotElected(t *testing.T) {
	e := report.NotSubmitted("Job", "import", &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}}, allowed)
	golden(t, "answer-not-elected", func(out *bytes.Buffer) error { return report.WriteExplanation(out, e) })
}
