package main

import (
	"fmt"
	"slices"
)

// check is one promise and what was measured of it.
type check struct {
	name     string
	bound    string
	measured string
	met      bool
}

// checks holds what was measured against what Spillway promises; what was not measured is left out.
func (r *Results) checks() []check {
	var all []check
	if r.Control != nil && r.Burst != nil {
		all = append(all, atLeast("throughput, of the control's", 0.40, r.Burst.PodsPerSecond/r.Control.PodsPerSecond, ""))
	}
	if r.Burst != nil {
		all = append(all, r.Burst.checks(r.Pods)...)
	}
	if s := r.Single; s.Control > 0 && s.Burst > 0 {
		all = append(all, atMost("one pod: create→Running p50 over the control's", 80, 1000*(s.Burst-s.Control), " ms"))
	}
	if s := r.Single; s.Burst > 0 && s.Far > 0 {
		all = append(all, atMost("one pod: round trips to the target", 1.5, (s.Far-s.Burst)/roundTrip.Seconds(), ""))
	}
	if r.Restart != nil {
		all = append(all,
			atMost("restart: ready after", 10, r.Restart.ReadySeconds, " s"),
			atMost("restart: writes to targets", 0, float64(r.Restart.Writes), ""),
			atMost("restart: pods lost", 0, float64(r.Restart.Lost), ""))
	}
	if r.Filter != nil {
		all = append(all,
			atMost("filtering over 100 targets: the thousandth identical pod, p99", 1, r.Filter.Alike.P99, " ms"),
			atMost("filtering over 100 targets: a first of its kind, p50", 10, r.Filter.First.P50, " ms"))
	}
	if r.Wake != nil {
		all = append(all, atMost(fmt.Sprintf("room in a full target: the waiting pod is bound, p99 of %d", r.Wake.Rounds), 1, r.Wake.P99, " s"))
	}
	if r.Exact != nil {
		all = append(all, r.Exact.checks()...)
	}
	if r.Quality != nil {
		all = append(all, r.Quality.checks()...)
	}
	return all
}

func (e *Exact) checks() []check {
	of := fmt.Sprintf("%d targets that hold just %d pods: ", e.Targets, e.Pods)
	return []check{
		atMost(of+"pods not placed", 0, float64(e.Pods-e.Running), ""),
		atMost(of+"pods that a target refused", 0, float64(e.Refused), ""),
		atMost(of+"pods tried twice", 0, float64(e.Again()), ""),
		atMost(of+"requests answered 429", 0, float64(e.TooMany), ""),
	}
}

func (q *Quality) checks() []check {
	return []check{
		atLeast("room in pieces: placed, of an omniscient first-fit's", 0.99, q.Share(), ""),
		atMost("room in pieces: delegates Pending in a target", 0, float64(q.Ours.Stuck), ""),
	}
}

func (l *Load) checks(pods int) []check {
	isController := func(p Process) bool { return p.Component == controller }
	return []check{
		atMost("create: our writes to targets a pod", 1, l.ours(phaseCreate, classMain, targets, Request.write), ""),
		atMost("create: our writes to the source a pod", 2, l.ours(phaseCreate, classMain, []string{source}, Request.write), ""),
		atMost("create: our events in the source a pod", 1, l.ours(phaseCreate, classEvents, []string{source}, Request.write), ""),
		atMost("create: GET and LIST a pod, all clusters", 0, l.ours(phaseCreate, classMain, l.clusters(), reads), ""),
		atMost("create: our failed requests, in all", 0, l.failed(phaseCreate), ""),
		atMost("delete: our writes to targets a pod", 1, l.ours(phaseDelete, classMain, targets, Request.write), ""),
		atMost("delete: our writes to the source a pod", 1, l.ours(phaseDelete, classMain, []string{source}, Request.write), ""),
		atMost("delete: our failed requests, in all", 0, l.failed(phaseDelete), ""),
		atMost("controller: CPU a pod until it runs", 5, l.cpu(phaseCreate, isController), " ms"),
		atMost(fmt.Sprintf("controller: resident memory with %d pods", pods), 250, l.Memory.Resident, " MiB"),
	}
}

// native are a target's own requests for each pod, failed ones included, as the control shows them: its scheduler binds,
// and kwok writes the status and, after a deletion with grace, deletes twice. Metrics do not tell who asked.
var native = map[string]Counts{
	phaseCreate: {{Verb: "POST", Resource: "pods/binding"}: 1, {Verb: "PATCH", Resource: "pods/status"}: 1},
	phaseDelete: {{Verb: "DELETE", Resource: "pods"}: 2},
}

// ours counts requests a pod that are not the clusters' own.
func (l *Load) ours(phase, class string, clusters []string, pick func(Request) bool) float64 {
	counts := Counts{}
	for _, row := range l.Requests {
		if row.Phase == phase && row.Class == class && slices.Contains(clusters, row.Cluster) && pick(row.Request) {
			counts[Request{Verb: row.Verb, Resource: row.Resource}] += row.Count
		}
	}
	sum := 0.0
	for r, n := range counts {
		if !slices.Contains(clusters, source) {
			n = max(n-native[phase][r], 0)
		}
		sum += n
	}
	return sum
}

func (l *Load) failed(phase string) float64 {
	sum := 0.0
	for _, row := range l.Failed {
		if row.Phase == phase {
			sum += row.Count
		}
	}
	return sum
}

func (l *Load) clusters() []string { return append([]string{source}, targets...) }

func reads(r Request) bool { return r.Verb == "GET" || r.Verb == "LIST" }

// slack of a bound: a rate that was subtracted is itself only measured.
const slack = 0.01

func atMost(name string, bound, measured float64, unit string) check {
	return check{name, "≤ " + number(bound) + unit, number(measured) + unit, measured <= bound+slack}
}

func atLeast(name string, bound, measured float64, unit string) check {
	return check{name, "≥ " + number(bound) + unit, number(measured) + unit, measured >= bound}
}

func (r *Results) missed() bool {
	return slices.ContainsFunc(r.checks(), func(c check) bool { return !c.met })
}
