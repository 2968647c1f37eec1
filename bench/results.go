package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	phaseCreate = "create"
	phaseDelete = "delete"

	// Classes of requests. Those that are not main follow no pod, or are told apart because they are many and cheap.
	classMain   = ""
	classEvents = "events"
	classApart  = "apart"

	// shown is the least number of requests that a table tells: less is one stray request in a thousand pods.
	shown = 0.005
)

// Results of a run. What was not measured is nil.
type Results struct {
	Command string   `json:"command"`
	Date    string   `json:"date"`
	Machine string   `json:"machine"`
	Pods    int      `json:"pods"`
	Control *Load    `json:"control,omitempty"`
	Burst   *Load    `json:"burst,omitempty"`
	Single  Single   `json:"single"`
	Restart *Restart `json:"restart,omitempty"`
	Filter  *Filter  `json:"filter,omitempty"`
	Wake    *Wake    `json:"wake,omitempty"`
	Exact   *Exact   `json:"exact,omitempty"`
	Quality *Quality `json:"quality,omitempty"`
	Idle    []Row    `json:"idle,omitempty"` // of the controller, a minute
}

// Load is what a number of pods cost, from the first creation to the last deletion.
type Load struct {
	CreateSeconds    float64        `json:"createSeconds"`
	PodsPerSecond    float64        `json:"podsPerSecond"`
	P50              float64        `json:"p50Seconds"`
	P99              float64        `json:"p99Seconds"`
	DeleteSeconds    float64        `json:"deleteSeconds"`
	DeletedPerSecond float64        `json:"deletedPerSecond"`
	Requests         []Row          `json:"requests"`         // a pod
	Failed           []Row          `json:"failed,omitempty"` // of the controller, in all, by its own count
	CPU              []CPU          `json:"cpu"`
	Memory           Memory         `json:"controllerMemory"` // with all pods running
	Placed           map[string]int `json:"placed,omitempty"` // pods by target
}

// Row is how often one kind of request was made in one cluster.
type Row struct {
	Phase   string `json:"phase"`
	Cluster string `json:"cluster"`
	Class   string `json:"class,omitempty"`
	Request
	Count float64 `json:"count"`
}

// CPU time of a process in one phase, a pod.
type CPU struct {
	Process
	Phase string  `json:"phase"`
	Milli float64 `json:"ms"`
}

func newResults(o options, args []string) Results {
	return Results{
		Command: strings.TrimSpace("go run ./bench " + strings.Join(args, " ")),
		Date:    time.Now().UTC().Format("2006-01-02"), Machine: machine(), Pods: o.pods,
	}
}

// rows turns counts into rows that are worth telling, in a fixed order. Discovery and health checks are not: their
// paths start with a slash.
func rows(phase, cluster string, counts Counts) []Row {
	var out []Row
	for _, r := range slices.SortedFunc(maps.Keys(counts), compareRequests) {
		if counts[r] >= shown && !strings.HasPrefix(r.Resource, "/") {
			out = append(out, Row{Phase: phase, Cluster: cluster, Class: class(r), Request: r, Count: counts[r]})
		}
	}
	return out
}

func compareRequests(a, b Request) int {
	return cmp.Or(cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Verb, b.Verb), cmp.Compare(a.Code, b.Code))
}

// class tells what follows no pod: watches, reviews, heartbeats (an API server's own are endpoints), discovery, and
// figures that are written at most every so often.
func class(r Request) string {
	name, _, _ := strings.Cut(r.Resource, "/")
	switch {
	case name == "events":
		return classEvents
	case r.Verb == "WATCH", name == "", strings.HasSuffix(name, "reviews"), strings.HasPrefix(name, "targets."),
		slices.Contains([]string{"leases", "nodes", "endpoints", "endpointslices"}, name):
		return classApart
	default:
		return classMain
	}
}

func (r Request) write() bool {
	return slices.Contains([]string{"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"}, r.Verb)
}

// posts tells that it creates a pod, whatever the answer.
func (r Request) posts() bool { return r.Verb == "POST" && r.Resource == "pods" }

func (l *Load) addCPU(phase string, before, after snapshot, clusters []string, pods float64) {
	for _, cluster := range clusters {
		for _, component := range components {
			p := Process{cluster, component}
			if end, ok := after.cpu[p]; ok {
				used := end - before.cpu[p]
				l.CPU = append(l.CPU, CPU{Process: p, Phase: phase, Milli: float64(used) / float64(time.Millisecond) / pods})
			}
		}
	}
}

// cpu sums the processes that pick accepts, in one phase.
func (l *Load) cpu(phase string, pick func(Process) bool) float64 {
	sum := 0.0
	for _, c := range l.CPU {
		if c.Phase == phase && pick(c.Process) {
			sum += c.Milli
		}
	}
	return sum
}

// machine says what this is run on.
func machine() string {
	memory, _ := os.ReadFile("/proc/meminfo")
	return fmt.Sprintf("%d cores, %.0f GiB, %s/%s, %s", runtime.NumCPU(), procMiB(string(memory), "MemTotal:")/1024,
		runtime.GOOS, runtime.GOARCH, runtime.Version())
}

func (r *Results) writeJSON(file string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the results: %w", err)
	}
	if err := os.WriteFile(file, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the results: %w", err)
	}
	return nil
}
