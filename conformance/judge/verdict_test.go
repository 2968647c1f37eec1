package judge

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// exceptions reads a list of them, as the file has it.
func exceptions(t *testing.T, list string) []Exception {
	t.Helper()
	read, err := ParseExceptions([]byte(list))
	require.NoError(t, err)
	return read
}

func TestWhatPassesDirectlyMustPassThroughSpillway(t *testing.T) {
	passed, failed, skipped := Result{State: Passed}, Result{Failed, "why"}, Result{Skipped, "why"}
	tests := map[string]struct {
		control, burst Results
		exceptions     string
		least          float64
		wantTests      []string
		wantReason     string
		wantShare      float64
		wantGood       bool
	}{
		"all pass": {
			control: Results{"a": passed, "b": passed}, burst: Results{"a": passed, "b": passed}, least: 1,
			wantShare: 1, wantGood: true,
		},
		"one fails": {
			control: Results{"a": passed, "b": passed}, burst: Results{"a": passed, "b": failed},
			wantTests: []string{"b"}, wantShare: 0.5,
		},
		"one fails, and that is known": {
			control: Results{"a": passed, "b": passed}, burst: Results{"a": passed, "b": failed},
			exceptions: "[{test: ^b$, reason: hostPath}]",
			wantTests:  []string{"b"}, wantReason: "hostPath", wantShare: 0.5, wantGood: true,
		},
		"one fails, and that is known, but too many do": {
			control: Results{"a": passed, "b": passed}, burst: Results{"a": passed, "b": failed},
			exceptions: "[{test: ^b$, reason: hostPath}]", least: 0.97,
			wantTests: []string{"b"}, wantReason: "hostPath", wantShare: 0.5,
		},
		"one skips itself": {
			control: Results{"a": passed}, burst: Results{"a": skipped}, wantTests: []string{"a"},
		},
		"one was not run": {
			control: Results{"a": passed}, burst: Results{"b": passed}, wantTests: []string{"a"},
		},
		"what does not pass directly says nothing": {
			control: Results{"a": failed, "b": skipped, "c": passed}, burst: Results{"a": failed, "b": failed, "c": passed}, least: 1,
			wantShare: 1, wantGood: true,
		},
		"nothing passes directly": {
			control: Results{"a": failed}, burst: Results{"a": failed}, wantShare: 1, wantGood: true,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := Compare(tt.control, tt.burst, exceptions(t, tt.exceptions), tt.least)

			var names []string
			for _, d := range got.Differences {
				names = append(names, d.Test)
				assert.Equal(t, tt.wantReason, d.Reason)
			}
			assert.Equal(t, tt.wantTests, names)
			assert.InDelta(t, tt.wantShare, got.Share, 1e-9)
			assert.Equal(t, tt.wantGood, got.Good())
		})
	}
}

func TestAnExceptionIsObsoleteWhenItsTestsPass(t *testing.T) {
	passed, failed := Result{State: Passed}, Result{State: Failed}
	control := Results{"uses hostPath once": passed, "uses hostPath twice": passed, "gets a host IP": passed, "needs IPv6": failed}
	burst := Results{"uses hostPath once": passed, "uses hostPath twice": failed, "gets a host IP": passed, "needs IPv6": failed}

	got := Compare(control, burst, exceptions(t, `
- {test: hostPath, reason: one of them still fails}
- {test: host IP, reason: it passes by now}
- {test: IPv6, reason: it does not pass directly either}
- {test: StatefulSet, reason: of another focus}`), 0)

	require.Len(t, got.Obsolete, 1)
	assert.Equal(t, "host IP", got.Obsolete[0].Test)
}

func TestAListOfExceptionsSaysWhatIsWrongWithIt(t *testing.T) {
	tests := map[string]struct{ list, want string }{
		"no list":               {"a: b", "reading the exceptions: "},
		"no reason":             {"[{test: a}]", "entry 1 needs both a test and a reason"},
		"no test":               {"[{test: a, reason: b}, {reason: a}]", "entry 2 needs both"},
		"no regular expression": {"[{test: '(', reason: a}]", "entry 1: test is no regular expression"},
		"an unknown field":      {"[{test: a, reason: b, since: c}]", "since"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ParseExceptions([]byte(tt.list))

			assert.ErrorContains(t, err, tt.want)
		})
	}
}

func TestAVerdictIsToldInTheTerminalAndInTheDocumentation(t *testing.T) {
	control := Results{"a": {State: Passed}, "b": {State: Passed}, "c": {State: Passed}, "d": {State: Passed}, "e": {Skipped, "no"}}
	burst := Results{"a": {Failed, "some\n  lines " + strings.Repeat("x", 400)}, "b": {State: Passed}, "c": {State: Passed}, "d": {Failed, "no"}, "e": {Skipped, "no"}}
	v := Compare(control, burst, exceptions(t, "[{test: a, reason: Volumes of the host are refused.}, {test: b, reason: it was slow}]"), 0.95)

	assert.Equal(t, `           passed  failed  skipped
control         4       0        1
burst           2       2        1

failed in the burst: a
  some lines `+strings.Repeat("x", 289)+` …
  known: Volumes of the host are refused.

failed in the burst: d
  no

no exception any more, remove it from the list: b

Of the 4 tests that pass in the control, 2 pass in the burst: 50.0 % (at least 95 % must). 1 have no reason on the list of exceptions.
`, v.Text())
	assert.Equal(t, "```text\n"+`           passed  failed  skipped
control         4       0        1
burst           2       2        1
`+"```"+`

Of the 4 tests that pass in the control, 2 pass in the burst: 50.0 % (at least 95 % must). 1 have no reason on the list of exceptions.

Without a reason on the list:

- d

Volumes of the host are refused.

- a
`, v.Markdown())
}
