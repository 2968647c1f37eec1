package judge

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"sigs.k8s.io/yaml"
)

// Exception says why tests may fail through Spillway although they pass directly.
type Exception struct {
	// Test is a regular expression that the tests' names match.
	Test string `json:"test"`
	// Reason is for people who wonder.
	Reason string `json:"reason"`

	pattern *regexp.Regexp
}

// ParseExceptions reads the list.
func ParseExceptions(data []byte) ([]Exception, error) {
	var list []Exception
	if err := yaml.UnmarshalStrict(data, &list); err != nil {
		return nil, fmt.Errorf("reading the exceptions: %w", err)
	}
	for i := range list {
		e := &list[i]
		if e.Test == "" || e.Reason == "" {
			return nil, fmt.Errorf("reading the exceptions: entry %d needs both a test and a reason", i+1)
		}
		var err error
		if e.pattern, err = regexp.Compile(e.Test); err != nil {
			return nil, fmt.Errorf("reading the exceptions: entry %d: test is no regular expression: %w", i+1, err)
		}
	}
	return list, nil
}

// Difference is a test that passes directly and not through Spillway.
type Difference struct {
	Test string
	Result
	// Reason of the exception; empty when there is none.
	Reason string
}

// Verdict is what comes of comparing two runs.
type Verdict struct {
	Control, Burst Results
	// Differences are in the order of their names.
	Differences []Difference
	// Share of the tests that pass directly which also pass through Spillway, and the least that it must be: 0 to 1.
	Share, Least float64
	// Obsolete are the exceptions whose tests all pass by now. One that none of these tests matches is another focus's.
	Obsolete []Exception
}

// Compare judges. A test that passes directly must pass through Spillway: one that is skipped there, or was not run, is as
// different as one that fails.
func Compare(control, burst Results, exceptions []Exception, least float64) Verdict {
	v := Verdict{Control: control, Burst: burst, Share: 1, Least: least}
	for _, name := range slices.Sorted(maps.Keys(control)) {
		if control[name].State != Passed || burst[name].State == Passed {
			continue
		}
		result, ran := burst[name]
		if !ran {
			result = Result{State: Skipped, Message: "it was not run"}
		}
		v.Differences = append(v.Differences, Difference{Test: name, Result: result, Reason: reason(name, exceptions)})
	}
	if passed := control.Count(Passed); passed > 0 {
		v.Share = 1 - float64(len(v.Differences))/float64(passed)
	}
	v.Obsolete = v.obsolete(exceptions)
	return v
}

// Good tells whether every difference has its reason, and whether they are few enough.
func (v Verdict) Good() bool { return len(v.Unexplained()) == 0 && v.Share >= v.Least }

// Unexplained are the names of the tests that no exception is about.
func (v Verdict) Unexplained() (names []string) {
	for _, d := range v.Differences {
		if d.Reason == "" {
			names = append(names, d.Test)
		}
	}
	return names
}

func reason(name string, exceptions []Exception) string {
	for _, e := range exceptions {
		if e.pattern.MatchString(name) {
			return e.Reason
		}
	}
	return ""
}

func (v Verdict) obsolete(exceptions []Exception) (unused []Exception) {
	for _, e := range exceptions {
		matches, needed := false, false
		for name, result := range v.Control {
			if result.State == Passed && e.pattern.MatchString(name) {
				matches = true
				needed = needed || v.Burst[name].State != Passed
			}
		}
		if matches && !needed {
			unused = append(unused, e)
		}
	}
	return unused
}
