package judge

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAReportIsReadAsTheTestsThatRan(t *testing.T) {
	report := `[{"SpecReports": [
		{"LeafNodeType": "SynchronizedBeforeSuite", "State": "passed"},
		{"LeafNodeType": "It", "ContainerHierarchyTexts": ["[sig-node] Pods", "when told"], "LeafNodeText": "should run [Conformance]", "State": "passed"},
		{"LeafNodeType": "It", "LeafNodeText": "fails", "State": "failed", "Failure": {"Message": "because"}},
		{"LeafNodeType": "It", "LeafNodeText": "panics", "State": "panicked", "Failure": {"Message": "oh"}},
		{"LeafNodeType": "It", "LeafNodeText": "takes too long", "State": "timedout"},
		{"LeafNodeType": "It", "LeafNodeText": "is cut off", "State": "interrupted"},
		{"LeafNodeType": "It", "LeafNodeText": "skips itself", "State": "skipped", "Failure": {"Message": "needs two nodes"}},
		{"LeafNodeType": "It", "LeafNodeText": "is out of focus", "State": "skipped"},
		{"LeafNodeType": "It", "LeafNodeText": "is pending", "State": "pending"},
		{"LeafNodeType": "ReportAfterSuite", "State": "failed", "Failure": {"Message": "about something else"}}
	]}]`

	got, err := Parse([]byte(report))

	require.NoError(t, err)
	assert.Equal(t, Results{
		"[sig-node] Pods when told should run [Conformance]": {State: Passed},
		"fails":          {Failed, "because"},
		"panics":         {Failed, "oh"},
		"takes too long": {State: Failed},
		"is cut off":     {State: Failed},
		"skips itself":   {Skipped, "needs two nodes"},
	}, got)
	assert.Equal(t, 4, got.Count(Failed))
}

func TestARunThatSaysNothingIsAnError(t *testing.T) {
	tests := map[string]struct{ report, want string }{
		"no JSON":        {`{`, "reading ginkgo's report: "},
		"no test ran":    {`[{"SpecReports": [{"LeafNodeType": "It", "State": "skipped"}]}]`, "its focus selects none"},
		"no preparation": {`[{"SpecReports": [{"LeafNodeType": "SynchronizedBeforeSuite", "State": "failed", "Failure": {"Message": "no nodes"}}]}]`, "the suite did not begin: no nodes"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(tt.report))

			assert.ErrorContains(t, err, tt.want)
		})
	}
}

func TestALaterRunHasTheLastWord(t *testing.T) {
	results := Results{"a": {Failed, "slow"}, "b": {State: Passed}}

	results.Update(Results{"a": {State: Passed}})

	assert.Equal(t, Results{"a": {State: Passed}, "b": {State: Passed}}, results)
}
