package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"
)

// The requirements.
const (
	execBound = 30 * time.Millisecond
	logBound  = 100.0 // MiB
)

type results struct {
	Exec  map[string][]time.Duration // sorted
	Large []transfer
	Log   map[string]fast
	Crowd crowded
	Left  map[string]int
}

type transfer struct {
	Way, By string
	In, Out time.Duration
	Same    bool
}

type fast struct {
	Lines, Got, Wrong int
	Took              time.Duration
	Grown             float64 // MiB
}

type crowded struct {
	Followers             int
	Broken, Served, Least int
	Peak                  float64
	Before, After         process
}

type check struct {
	name, bound, measured string
	met                   bool
}

const (
	direct  = "direct"
	through = "through the source"
)

func (r *results) checks() []check {
	log := r.Log[through]
	p50, same := r.more(50), true
	for _, line := range r.Large {
		same = same && line.Same
	}
	return []check{
		{"exec, p50: more than direct", "≤ 30 ms", ms(p50), p50 <= execBound},
		{"100 MB by exec and cp, both ways: the same bytes", "all", verdict(same, "all", "not all"), same},
		{"a log of 10 MB/s: lines lost or wrong", "0", fmt.Sprint(log.Lines - log.Got + log.Wrong), log.Got == log.Lines && log.Wrong == 0},
		{"the same: controller's memory grows by", "≤ 100 MiB", mib(log.Grown), log.Grown <= logBound},
		{fmt.Sprintf("%d logs and %d port-forwards: broken", r.Crowd.Followers, forwards), "0", fmt.Sprint(r.Crowd.Broken), r.Crowd.Broken == 0 && r.Crowd.Least > 0},
		{"the same: memory and goroutines are back", "within 20 MiB, 20", fmt.Sprintf("%+.0f MiB, %+.0f", r.Crowd.After.Resident-r.Crowd.Before.Resident,
			r.Crowd.After.Goroutines-r.Crowd.Before.Goroutines), backAt(r.Crowd.Before, r.Crowd.After)},
		{fmt.Sprintf("%d commands whose user left: still there", leaving), "0", fmt.Sprint(r.Left[through]), r.Left[through] == 0},
	}
}

func (r *results) missed() bool {
	for _, c := range r.checks() {
		if !c.met {
			return true
		}
	}
	return false
}

// more is what the way through the source takes more.
func (r *results) more(p float64) time.Duration {
	return percentile(r.Exec[through], p) - percentile(r.Exec[direct], p)
}

func (r *results) markdown() string {
	var out strings.Builder
	section := func(title string, lines ...string) {
		_, _ = fmt.Fprintf(&out, "\n## %s\n\n%s\n", title, strings.Join(lines, "\n"))
	}
	lines := []string{"| requirement | bound | measured | |", "|---|---|---|---|"}
	for _, c := range r.checks() {
		lines = append(lines, fmt.Sprintf("| %s | %s | %s | %s |", c.name, c.bound, c.measured, verdict(c.met, "✓", "✗")))
	}
	section("What is promised", lines...)

	lines = []string{fmt.Sprintf("%d times `true` on each way, in turn.\n", len(r.Exec[direct])), "| | p50 | p99 |", "|---|---|---|"}
	for _, way := range []string{direct, through} {
		lines = append(lines, fmt.Sprintf("| %s | %s | %s |", way, ms(percentile(r.Exec[way], 50)), ms(percentile(r.Exec[way], 99))))
	}
	section("exec", append(lines, fmt.Sprintf("| more | %s | %s |", ms(r.more(50)), ms(r.more(99))))...)

	lines = []string{"| way | by | in, MB/s | out, MB/s | same bytes |", "|---|---|---|---|---|"}
	for _, l := range r.Large {
		lines = append(lines, fmt.Sprintf("| %s | %s | %.0f | %.0f | %s |", l.Way, l.By, rate(l.In), rate(l.Out), verdict(l.Same, "yes", "no")))
	}
	section("100 MB", lines...)

	lines = []string{"| way | lines written | read | out of order or cut | MB/s | controller grew by |", "|---|---|---|---|---|---|"}
	for _, way := range []string{direct, through} {
		l := r.Log[way]
		lines = append(lines, fmt.Sprintf("| %s | %d | %d | %d | %.1f | %s |", way, l.Lines, l.Got, l.Wrong,
			float64(l.Got*lineBytes)/1e6/l.Took.Seconds(), mib(l.Grown)))
	}
	section("A log of 10 MB/s", lines...)

	c := r.Crowd
	section(fmt.Sprintf("%d logs and %d port-forwards", c.Followers, forwards), "| | before | peak | after |", "|---|---|---|---|",
		fmt.Sprintf("| controller, resident | %s | %s | %s |", mib(c.Before.Resident), mib(c.Peak), mib(c.After.Resident)),
		fmt.Sprintf("| goroutines | %.0f | | %.0f |", c.Before.Goroutines, c.After.Goroutines),
		fmt.Sprintf("\nThe slowest follower saw %d lines; %d pages were fetched through the port-forwards; %d streams broke.", c.Least, c.Served, c.Broken))
	section("Commands whose user leaves", fmt.Sprintf("Of %d times `cat` that was cancelled, %d are left direct and %d through the source.", leaving, r.Left[direct], r.Left[through]))
	return out.String()
}

const intro = `# Streams

What a user of exec, cp, logs and port-forward gets of a pod that runs elsewhere. ` + "`make bench-streams`" + ` writes this page: on one
machine it starts a source cluster and a target with a real kubelet and real containers, and measures the same streams
straight from the target's API server (direct) and through the source's. Memory and goroutines are the controller's own
metrics. Times hold for a machine with two cores that all of it shares. The kubelet watches a file for each log that is
followed; where the machine allows too few of that (fs.inotify.max_user_instances), -followers takes less than 200.
`

// publish prints the report, and writes the page when asked.
func (r *results) publish(write bool, out io.Writer) error {
	report := r.markdown()
	if _, err := io.WriteString(out, report); err != nil || !write {
		return err
	}
	if err := os.WriteFile(page, []byte(intro+report), 0o644); err != nil {
		return fmt.Errorf("writing %s: %w", page, err)
	}
	return nil
}

func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(int(math.Ceil(p/100*float64(len(sorted)))), 1)-1]
}

func verdict(met bool, yes, no string) string {
	if met {
		return yes
	}
	return no
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }
func mib(f float64) string      { return fmt.Sprintf("%.0f MiB", f) }
func rate(d time.Duration) float64 {
	return largeBytes / 1e6 / d.Seconds()
}
