package main

import (
	"cmp"
	_ "embed"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// page is where -write puts the report.
const page = "docs/benchmarks.md"

//go:embed method.md
var method string

// publish prints the report and writes what the options ask for.
func (r *Results) publish(o options, out io.Writer) error {
	report := r.markdown()
	if _, err := io.WriteString(out, report); err != nil {
		return err
	}
	if o.write {
		if err := os.WriteFile(page, []byte("# Benchmarks\n\n"+method+"\n"+report), 0o644); err != nil {
			return fmt.Errorf("writing %s: %w", page, err)
		}
	}
	if o.json != "" {
		return r.writeJSON(o.json)
	}
	return nil
}

func (r *Results) markdown() string {
	var out strings.Builder
	fmt.Fprintf(&out, "`%s`, %s, on %s; %d pods.\n", r.Command, r.Date, r.Machine, r.Pods)
	for _, section := range []struct {
		title string
		table [][]string
	}{
		{"What is promised", r.promised()},
		{"Rates and latencies", r.speed()},
		{"Filtering one pod over 100 targets of 100 nodes", r.filtering()},
		{"Ten targets that hold just their pods", r.exactly()},
		{"Room in pieces", r.inPieces()},
		{"From room in a full target to a bound pod", r.woken()},
		{"API requests a pod", r.requests()},
		{"Failed requests of the controller", r.failures()},
		{"CPU time a pod", r.cpu()},
		{"Restart of the controller", r.restarted()},
		{"Requests of a controller without work", r.idle()},
	} {
		if len(section.table) > 1 {
			fmt.Fprintf(&out, "\n## %s\n\n%s", section.title, table(section.table))
		}
	}
	return out.String()
}

func (r *Results) promised() [][]string {
	lines := [][]string{{"requirement", "bound", "measured", ""}}
	for _, c := range r.checks() {
		lines = append(lines, []string{c.name, c.bound, c.measured, map[bool]string{true: "✓", false: "✗"}[c.met]})
	}
	return lines
}

func (r *Results) speed() [][]string {
	lines := [][]string{{"", "control", "burst", "ratio"}}
	add := func(name string, control, burst float64) {
		if control > 0 || burst > 0 {
			lines = append(lines, []string{name, orDash(control), orDash(burst), ratio(burst, control)})
		}
	}
	control, burst := cmp.Or(r.Control, &Load{}), cmp.Or(r.Burst, &Load{})
	add("pods/s, first create to last Running", control.PodsPerSecond, burst.PodsPerSecond)
	add("create→Running p50, s", control.P50, burst.P50)
	add("create→Running p99, s", control.P99, burst.P99)
	add("all deleted→gone, s", control.DeleteSeconds, burst.DeleteSeconds)
	add("pods/s deleted", control.DeletedPerSecond, burst.DeletedPerSecond)
	add("one pod, create→Running p50, ms", 1000*r.Single.Control, 1000*r.Single.Burst)
	add(fmt.Sprintf("the same, targets %d ms away, ms", roundTrip.Milliseconds()), 0, 1000*r.Single.Far)
	add("controller, resident, MiB", 0, burst.Memory.Resident)
	add("controller, peak, MiB", 0, burst.Memory.Peak)
	for _, target := range targets {
		add("pods in target "+target, 0, float64(burst.Placed[target]))
	}
	return lines
}

// requests has a line for each kind; "own" says that the target does it to each pod of its own accord.
func (r *Results) requests() [][]string {
	lines := [][]string{{"phase", "of", "cluster", "request", "code", "a pod", ""}}
	for _, load := range []struct {
		name string
		*Load
	}{{"control", r.Control}, {"burst", r.Burst}} {
		if load.Load == nil {
			continue
		}
		for _, row := range load.Requests {
			lines = append(lines, []string{row.Phase, load.name, row.Cluster, row.Verb + " " + row.Resource,
				cmp.Or(row.Code, "ok"), number(row.Count), remark(row)})
		}
	}
	return lines
}

// remark tells whose a request is, where metrics allow it.
func remark(row Row) string {
	own, known := native[row.Phase][Request{Verb: row.Verb, Resource: row.Resource}]
	switch {
	case row.Class != classMain:
		return "apart"
	case known && row.Cluster != source && row.Verb == "DELETE":
		return number(own) + " of them the target's own"
	case known && row.Cluster != source:
		return "the target's own"
	default:
		return "ours"
	}
}

// failures are the controller's own.
func (r *Results) failures() [][]string {
	lines := [][]string{{"phase", "cluster", "request", "code", "in all"}}
	for _, row := range cmp.Or(r.Burst, &Load{}).Failed {
		lines = append(lines, []string{row.Phase, row.Cluster, row.Verb, row.Code, number(row.Count)})
	}
	return lines
}

func (r *Results) cpu() [][]string {
	lines := [][]string{{"cluster", "process", "control create", "burst create", "control delete", "burst delete"}}
	control, burst := cmp.Or(r.Control, &Load{}), cmp.Or(r.Burst, &Load{})
	line := func(cluster, component string, pick func(Process) bool) {
		cells := []string{cluster, component}
		for _, phase := range []string{phaseCreate, phaseDelete} {
			cells = append(cells, orDash(control.cpu(phase, pick)), orDash(burst.cpu(phase, pick)))
		}
		if slices.ContainsFunc(cells[2:], func(cell string) bool { return cell != "-" }) {
			lines = append(lines, cells)
		}
	}
	for _, cluster := range burst.clusters() {
		for _, component := range components {
			line(cluster, component, func(p Process) bool { return p == Process{cluster, component} })
		}
	}
	line("all", "ms a pod", func(Process) bool { return true })
	return lines
}

func (r *Results) restarted() [][]string {
	if r.Restart == nil {
		return nil
	}
	lines := [][]string{
		{"", ""},
		{"ready, s after SIGKILL", number(r.Restart.ReadySeconds)},
		{"pods lost", strconv.Itoa(r.Restart.Lost)},
		{"resident, MiB", number(r.Restart.Memory.Resident)},
		{"peak, MiB", number(r.Restart.Memory.Peak)},
		{"writes to targets", strconv.Itoa(r.Restart.Writes)},
	}
	for _, row := range r.Restart.Requests {
		lines = append(lines, []string{strings.Join([]string{row.Cluster, row.Verb, row.Resource, row.Code}, " "), number(row.Count)})
	}
	return lines
}

// idle is by the controller's own count; a watch is a GET.
func (r *Results) idle() [][]string {
	lines := [][]string{{"cluster", "method", "code", "a minute"}}
	for _, row := range r.Idle {
		lines = append(lines, []string{row.Cluster, row.Verb, cmp.Or(row.Code, "ok"), number(row.Count)})
	}
	return lines
}
