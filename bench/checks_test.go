package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/spillway-dev/spillway/bench/fragmented"
)

// good is a run in which every promise is kept, to the last request.
func good() *Results {
	row := func(phase, cluster, verb, resource string, n float64) Row {
		r := Request{Verb: verb, Resource: resource}
		return Row{Phase: phase, Cluster: cluster, Class: class(r), Request: r, Count: n}
	}
	burst := &Load{PodsPerSecond: 80, Memory: Memory{Resident: 200}, Requests: []Row{
		row(phaseCreate, source, "POST", "pods/binding", 1), row(phaseCreate, source, "PATCH", "pods/status", 1),
		row(phaseCreate, source, "POST", "events", 1),
		row(phaseDelete, source, "DELETE", "pods", 1),
	}}
	for _, target := range targets { // each has half of the pods
		burst.Requests = append(burst.Requests,
			row(phaseCreate, target, "POST", "pods", 0.5), row(phaseCreate, target, "POST", "pods/binding", 0.5),
			row(phaseCreate, target, "PATCH", "pods/status", 0.5), row(phaseDelete, target, "DELETE", "pods", 1.5))
	}
	burst.CPU = []CPU{{Process{source, controller}, phaseCreate, 4.5}, {Process{"a", "etcd"}, phaseCreate, 99}}
	return &Results{
		Pods: 1000, Control: &Load{PodsPerSecond: 180}, Burst: burst,
		Single:  Single{Control: 0.030, Burst: 0.100, Far: 0.210},
		Restart: &Restart{ReadySeconds: 2},
		Filter:  &Filter{First: Filtering{P99: 9}, Alike: Filtering{P99: 0.9}},
		Wake:    &Wake{Rounds: 100, P99: 0.9},
		Exact:   &Exact{Targets: 10, Pods: 1000, Running: 1000, Creates: 1000},
		Quality: &Quality{FirstFit: fragmented.Outcome{Placed: 480}, Ours: fragmented.Outcome{Placed: 476, Waiting: 24}},
	}
}

func TestChecks(t *testing.T) {
	stray := func(cluster, verb, resource string) func(*Results) {
		return func(r *Results) {
			request := Request{Verb: verb, Resource: resource}
			r.Burst.Requests = append(r.Burst.Requests,
				Row{Phase: phaseCreate, Cluster: cluster, Class: class(request), Request: request, Count: 0.5})
		}
	}
	tests := map[string]struct {
		change func(*Results)
		missed []string
	}{
		"everything is kept": {func(*Results) {}, nil},
		"too slow":           {func(r *Results) { r.Burst.PodsPerSecond = 60 }, []string{"throughput, of the control's"}},
		"a status written twice in the source": {stray(source, "PATCH", "pods/status"),
			[]string{"create: our writes to the source a pod"}},
		"a patch of a delegate":   {stray("b", "PATCH", "pods"), []string{"create: our writes to targets a pod"}},
		"a list of pods":          {stray("a", "LIST", "pods"), []string{"create: GET and LIST a pod, all clusters"}},
		"a second event":          {stray(source, "POST", "events"), []string{"create: our events in the source a pod"}},
		"a node's status is free": {stray(source, "PATCH", "nodes/status"), nil},
		"a failed request": {func(r *Results) {
			r.Burst.Failed = []Row{{Phase: phaseDelete, Cluster: "a", Request: Request{Verb: "DELETE", Code: "404"}, Count: 1}}
		}, []string{"delete: our failed requests, in all"}},
		"far targets cost two round trips": {func(r *Results) { r.Single.Far = 0.3 }, []string{"one pod: round trips to the target"}},
		"a write after a restart":          {func(r *Results) { r.Restart.Writes = 1 }, []string{"restart: writes to targets"}},
		"filtering that takes too long": {func(r *Results) { r.Filter.First.P50, r.Filter.Alike.P99 = 11, 2 },
			[]string{"filtering over 100 targets: the thousandth identical pod, p99", "filtering over 100 targets: a first of its kind, p50"}},
		"a pod that waits too long for room": {func(r *Results) { r.Wake.P99 = 1.1 }, []string{"room in a full target: the waiting pod is bound, p99 of 100"}},
		"one pod of a thousand is not placed": {func(r *Results) { r.Exact.Running = 999 },
			[]string{"10 targets that hold just 1000 pods: pods not placed"}},
		"one delegate is refused, and tried elsewhere": {func(r *Results) { r.Exact.Refused, r.Exact.Creates = 1, 1001 },
			[]string{"10 targets that hold just 1000 pods: pods that a target refused", "10 targets that hold just 1000 pods: pods tried twice"}},
		"a pod is told once that there is no place": {func(r *Results) { r.Exact.Unscheduled = 1 },
			[]string{"10 targets that hold just 1000 pods: pods tried twice"}},
		"first-fit places more": {func(r *Results) { r.Quality.Ours.Placed = 475 },
			[]string{"room in pieces: placed, of an omniscient first-fit's"}},
		"a delegate that its target cannot place": {func(r *Results) { r.Quality.Ours.Stuck = 1 },
			[]string{"room in pieces: delegates Pending in a target"}},
		"parts that were left out": {func(r *Results) {
			r.Restart, r.Control, r.Single, r.Filter, r.Wake, r.Exact, r.Quality = nil, nil, Single{}, nil, nil, nil, nil
		}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := good()
			tt.change(r)
			var missed []string
			for _, c := range r.checks() {
				if !c.met {
					missed = append(missed, c.name)
				}
			}
			assert.Empty(t, cmp.Diff(tt.missed, missed))
			assert.Equal(t, tt.missed != nil, r.missed())
		})
	}
}

func TestTheReportIsMarkdownWithAlignedColumns(t *testing.T) {
	report := good().markdown()
	require.Contains(t, report, "## What is promised\n\n| requirement")
	var width int
	_, table, _ := strings.Cut(report, "## What is promised\n\n")
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		if width == 0 {
			width = len([]rune(line))
		}
		assert.Len(t, []rune(line), width, line)
	}
}

func TestParseRefusesPartsThatThereAreNot(t *testing.T) {
	var log strings.Builder
	_, err := parse([]string{"-only", "burst,lunch"}, &log)
	assert.ErrorContains(t, err, `"lunch" is none of control, burst`)
	o, err := parse([]string{"-only", "burst,single", "-n", "5"}, &log)
	require.NoError(t, err)
	assert.Equal(t, []string{partBurst, partSingle}, o.only)
	_, err = parse([]string{"-n", "0"}, &log)
	assert.ErrorContains(t, err, "-n takes a number from 1")
}

func TestMediansByWhatMadeTheRoom(t *testing.T) {
	w := newWake(map[bool][]time.Duration{false: {3 * time.Second, time.Second}, true: {2 * time.Second}})
	assert.Empty(t, cmp.Diff(&Wake{Rounds: 3, Others: wakeOther, P50: 2, P99: 3, Max: 3, PodEnded: 1, NodeUncordoned: 2}, w))
}
