// Package judge compares two runs of Kubernetes' end-to-end tests. What enters are ginkgo's JSON reports and the list of
// exceptions; what leaves is a verdict: which tests pass directly and not through Spillway, whether there is a reason for
// each, and a text that says so. It is pure.
package judge

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// State is how a test ended.
type State string

// The states of a test.
const (
	Passed  State = "passed"
	Failed  State = "failed"
	Skipped State = "skipped" // by the test itself, which found its cluster unsuitable
)

// Result is one test's.
type Result struct {
	State   State
	Message string // of a failure or a skip, as the test says it
}

// Results are those of one run, by the test's whole name.
type Results map[string]Result

// spec is what is read of an entry of ginkgo's report.
type spec struct {
	ContainerHierarchyTexts    []string
	LeafNodeType, LeafNodeText string
	State                      string
	Failure                    struct{ Message string }
}

// Parse reads ginkgo's JSON report. Tests that the focus left out are not in the results. A run that ended before its tests
// is an error: comparing what it did not do would find no difference.
func Parse(report []byte) (Results, error) {
	var suites []struct {
		SpecReports                []spec
		SpecialSuiteFailureReasons []string
	}
	if err := json.Unmarshal(report, &suites); err != nil {
		return nil, fmt.Errorf("reading ginkgo's report: %w", err)
	}
	results := Results{}
	for _, suite := range suites {
		for _, s := range suite.SpecReports {
			if s.LeafNodeType != "It" {
				if isFailure(s.State) && strings.HasSuffix(s.LeafNodeType, "BeforeSuite") {
					return nil, fmt.Errorf("the suite did not begin: %s", s.Failure.Message)
				}
				continue
			}
			if result, ran := s.result(); ran {
				results[s.name()] = result
			}
		}
	}
	if len(results) == 0 {
		return nil, errors.New("the suite ran no test: its focus selects none")
	}
	return results, nil
}

func (s spec) name() string {
	return strings.TrimSpace(strings.Join(append(s.ContainerHierarchyTexts, s.LeafNodeText), " "))
}

// result is false for a test that was not run: ginkgo lists those of the whole suite.
func (s spec) result() (Result, bool) {
	switch {
	case s.State == "passed":
		return Result{State: Passed}, true
	case isFailure(s.State):
		return Result{State: Failed, Message: s.Failure.Message}, true
	case s.State == "skipped" && s.Failure.Message != "":
		return Result{State: Skipped, Message: s.Failure.Message}, true
	default:
		return Result{}, false
	}
}

func isFailure(state string) bool {
	switch state {
	case "failed", "panicked", "timedout", "interrupted", "aborted":
		return true
	default:
		return false
	}
}

// Update takes over what a later run says of some of the tests.
func (r Results) Update(later Results) {
	for name, result := range later {
		r[name] = result
	}
}

// Count returns how many tests ended so.
func (r Results) Count(state State) int {
	n := 0
	for _, result := range r {
		if result.State == state {
			n++
		}
	}
	return n
}
