package judge

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxMessage bounds what is shown of a failure; the whole is in the run's log.
const maxMessage = 300

// Text is the verdict for a terminal.
func (v Verdict) Text() string {
	var b strings.Builder
	b.WriteString(v.table())
	for _, d := range v.Differences {
		fmt.Fprintf(&b, "\n%s in the burst: %s\n  %s\n", d.State, d.Test, shortened(d.Message))
		if d.Reason != "" {
			fmt.Fprintf(&b, "  known: %s\n", d.Reason)
		}
	}
	for _, e := range v.Obsolete {
		fmt.Fprintf(&b, "\nno exception any more, remove it from the list: %s\n", e.Test)
	}
	fmt.Fprintf(&b, "\n%s\n", v.sentence())
	return b.String()
}

// Markdown is the verdict for documentation.
func (v Verdict) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "```text\n%s```\n\n%s\n", v.table(), v.sentence())
	for _, reason := range v.reasons() {
		fmt.Fprintf(&b, "\n%s\n\n", reason.text)
		for _, test := range reason.tests {
			fmt.Fprintf(&b, "- %s\n", test)
		}
	}
	return b.String()
}

func (v Verdict) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-9s%8s%8s%9s\n", "", Passed, Failed, Skipped)
	for _, run := range []struct {
		name    string
		results Results
	}{{"control", v.Control}, {"burst", v.Burst}} {
		fmt.Fprintf(&b, "%-9s%8d%8d%9d\n", run.name, run.results.Count(Passed), run.results.Count(Failed), run.results.Count(Skipped))
	}
	return b.String()
}

func (v Verdict) sentence() string {
	passed := v.Control.Count(Passed)
	text := fmt.Sprintf("Of the %d tests that pass in the control, %d pass in the burst: %.1f %% (at least %.0f %% must).",
		passed, passed-len(v.Differences), 100*v.Share, 100*v.Least)
	if n := len(v.Unexplained()); n > 0 {
		text += fmt.Sprintf(" %d have no reason on the list of exceptions.", n)
	}
	return text
}

type group struct {
	text  string
	tests []string
}

// reasons groups the differences by their reason; those without come first.
func (v Verdict) reasons() []group {
	tests := map[string][]string{}
	for _, d := range v.Differences {
		tests[d.Reason] = append(tests[d.Reason], d.Test)
	}
	var groups []group
	for _, reason := range slices.Sorted(maps.Keys(tests)) {
		text := reason
		if text == "" {
			text = "Without a reason on the list:"
		}
		groups = append(groups, group{text, tests[reason]})
	}
	return groups
}

func shortened(message string) string {
	line := strings.Join(strings.Fields(message), " ")
	if len(line) > maxMessage {
		line = strings.ToValidUTF8(line[:maxMessage], "") + " …"
	}
	return line
}
