package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

const (
	filterPackage = "./scheduler-plugin/profile"
	filterFirst   = "BenchmarkFilterFirst"
	filterAlike   = "BenchmarkFilterAlike"
	filterTimes   = 1000 // each, so that p99 is the tenth slowest
)

// Filter is how long one pod's filtering takes in memory, over 100 targets of 100 nodes of which 20 % are full.
type Filter struct {
	First Filtering `json:"first"` // a pod like none before
	Alike Filtering `json:"alike"` // one more of a thousand identical pods
}

// Filtering is one Go benchmark's figures.
type Filtering struct {
	P50    float64 `json:"p50Milli"`
	P99    float64 `json:"p99Milli"`
	Bytes  float64 `json:"bytes"`
	Allocs float64 `json:"allocs"`
}

// filter runs the Go benchmarks on one core, before there are clusters.
func (b *bench) filter(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-run=^$", "-bench=^("+filterFirst+"|"+filterAlike+")$", "-benchmem", "-cpu=1",
		fmt.Sprintf("-benchtime=%dx", filterTimes), filterPackage)
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("running %s: %w\n%s", strings.Join(cmd.Args, " "), err, output)
	}
	found := map[string]Filtering{}
	for line := range strings.Lines(string(output)) {
		if name, figures, ok := parseBenchmark(line); ok {
			found[name] = figures
		}
	}
	for _, name := range []string{filterFirst, filterAlike} {
		if found[name].P99 == 0 {
			return fmt.Errorf("%s has no figures of %s:\n%s", filterPackage, name, output)
		}
	}
	b.results.Filter = &Filter{First: found[filterFirst], Alike: found[filterAlike]}
	return nil
}

// parseBenchmark reads a line such as "BenchmarkX-2  100  123 ns/op  99 p50-ns  150 p99-ns  64 B/op  2 allocs/op".
func parseBenchmark(line string) (name string, figures Filtering, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
		return "", figures, false
	}
	for i := 2; i+1 < len(fields); i += 2 {
		value, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return "", figures, false
		}
		switch fields[i+1] {
		case "p50-ns":
			figures.P50 = value / 1e6
		case "p99-ns":
			figures.P99 = value / 1e6
		case "B/op":
			figures.Bytes = value
		case "allocs/op":
			figures.Allocs = value
		}
	}
	name, _, _ = strings.Cut(fields[0], "-")
	return name, figures, true
}
