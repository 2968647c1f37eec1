package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spillway-dev/spillway/conformance/judge"
	"github.com/spillway-dev/spillway/pkg/fleet"
)

const (
	suiteTimeout = 3 * time.Hour
	// endTimeout is for a run that was interrupted: each of its tests cleans up.
	endTimeout = time.Minute

	reportFile = "report.json"
	logFile    = "log"
)

// focus is a choice of tests.
type focus struct {
	tests string  // a regular expression
	least float64 // the share of those that pass in the control which must pass in the burst
}

const (
	nodeTests = `\[sig-node\] (Pods|Containers|Variable Expansion|InitContainer|Kubelet|Container Runtime|Downward API|` +
		`ConfigMap|Secrets|Container Lifecycle Hook|Probing container)\b`
	jobTests     = `\[sig-apps\] Job\b`
	appTests     = `\[sig-apps\] (Deployment|ReplicaSet|StatefulSet|DisruptionController|CronJob)\b`
	kubectlTests = `\[sig-cli\] Kubectl\b`
	volumeTests  = `\[sig-storage\] (ConfigMap|Secrets|Projected|Downward API|EmptyDir)\b`

	// never are tests that disturb others or the cluster, or need what clusters do not have by default; and one that waits
	// ten minutes for a node to evict a pod for the disk it takes, which a fleet's nodes do not.
	never = `\[Slow\]|\[Serial\]|\[Disruptive\]|\[Flaky\]|\[Alpha\]|\[Feature:|evicted pods should be terminal`
)

var focuses = map[string]focus{
	"ci":    {tests: nodeTests + "|" + jobTests, least: 0.97},
	"local": {tests: strings.Join([]string{nodeTests, jobTests, appTests, kubectlTests, volumeTests}, "|"), least: 0.95},
}

func chooseFocus(name, only string) (focus, error) {
	if only != "" {
		_, err := regexp.Compile(only)
		if err != nil {
			err = fmt.Errorf("-only is no regular expression: %w", err)
		}
		return focus{tests: only}, err
	}
	chosen, ok := focuses[name]
	if !ok {
		return chosen, fmt.Errorf("there is no focus %q: choose ci or local, or some tests with -only", name)
	}
	return chosen, nil
}

// exactly is a regular expression for these tests.
func exactly(tests []string) string {
	quoted := make([]string, len(tests))
	for i, test := range tests {
		quoted[i] = regexp.QuoteMeta(test)
	}
	return strings.Join(quoted, "|")
}

// suite runs Kubernetes' end-to-end tests on a fleet.
type suite struct {
	fleet.Suite
	fleet   *fleet.Fleet
	procs   int
	results string
	log     io.Writer
}

// run runs tests against a cluster. Tests that fail are a result, not an error.
func (s *suite) run(ctx context.Context, name, cluster, tests string) (judge.Results, error) {
	dir := filepath.Join(s.results, name)
	if err := os.RemoveAll(dir); err != nil { // a report of an earlier run must not be taken for this one's
		return nil, fmt.Errorf("emptying the folder of results: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of results: %w", err)
	}
	log, err := os.Create(filepath.Join(dir, logFile))
	if err != nil {
		return nil, fmt.Errorf("making the log of a run: %w", err)
	}
	defer func() { _ = log.Close() }()
	_, _ = fmt.Fprintf(s.log, "• %s: tests against cluster %s, with their log in %s\n", name, cluster, log.Name())
	start := time.Now()
	cmd := s.command(ctx, dir, cluster, tests)
	cmd.Stdout, cmd.Stderr = log, log
	ended := cmd.Run()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("running the tests against cluster %s: %w", cluster, context.Cause(ctx))
	}
	results, err := readResults(filepath.Join(dir, reportFile))
	if err != nil {
		return nil, fmt.Errorf("running the tests against cluster %s: %w\n  the log is %s", cluster, errors.Join(err, ended), log.Name())
	}
	_, _ = fmt.Fprintf(s.log, "✓ %s: %d passed, %d failed, %d skipped (%s)\n", name, results.Count(judge.Passed),
		results.Count(judge.Failed), results.Count(judge.Skipped), time.Since(start).Round(time.Second))
	return results, nil
}

func readResults(file string) (judge.Results, error) {
	report, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return judge.Parse(report)
}

func (s *suite) command(ctx context.Context, dir, cluster, tests string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.Runner,
		"--procs="+strconv.Itoa(s.procs), "--timeout="+suiteTimeout.String(), "--no-color", "--silence-skips",
		"--output-dir="+dir, "--json-report="+reportFile, "--focus="+tests, "--skip="+never, s.Test, "--",
		"--kubeconfig="+s.fleet.Kubeconfig(cluster), "--kubectl-path="+s.fleet.Binary("kubectl"), "--provider=skeleton",
		"--dump-logs-on-failure=false", "--disable-log-dump")
	cmd.Dir = dir // some tests write files
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = endTimeout
	return cmd
}
