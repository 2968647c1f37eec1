package main

import (
	"strconv"

	"github.com/spillway-dev/spillway/bench/fragmented"
)

// filtering is a Go benchmark's.
func (r *Results) filtering() [][]string {
	if r.Filter == nil {
		return nil
	}
	lines := [][]string{{"", "p50, ms", "p99, ms", "allocations", "KiB allocated"}}
	for _, of := range []struct {
		name string
		Filtering
	}{{"a first of its kind", r.Filter.First}, {"the thousandth identical pod", r.Filter.Alike}} {
		lines = append(lines, []string{of.name, number(of.P50), number(of.P99), number(of.Allocs), number(of.Bytes / 1024)})
	}
	return lines
}

// exactly is the burst over targets that its pods fill.
func (r *Results) exactly() [][]string {
	e := r.Exact
	if e == nil {
		return nil
	}
	return [][]string{
		{"", ""},
		{"targets", strconv.Itoa(e.Targets)},
		{"pods", strconv.Itoa(e.Pods)},
		{"running", strconv.Itoa(e.Running)},
		{"targets with exactly their share", strconv.Itoa(e.Full)},
		{"pods/s, first create to last Running", number(e.PodsPerSecond)},
		{"create→Running p50, s", number(e.P50)},
		{"create→Running p99, s", number(e.P99)},
		{"POST of pods in targets", strconv.Itoa(e.Creates)},
		{"of them refused, or not scheduled at once there", strconv.Itoa(e.Refused)},
		{"pods for which the source once found no place", strconv.Itoa(e.Unscheduled)},
		{"requests answered 429", strconv.Itoa(e.TooMany)},
		{"controller, CPU ms a pod", number(e.CPU)},
		{"eleven control planes started in, s", number(e.StartSeconds)},
	}
}

// inPieces compares ways of placing the same pods on the same fleet.
func (r *Results) inPieces() [][]string {
	q := r.Quality
	if q == nil {
		return nil
	}
	lines := [][]string{{"", "placed", "of first-fit's", "waiting in the source", "Pending in a target", "creations in targets"}}
	for _, way := range []struct {
		name string
		fragmented.Outcome
		creates string
	}{
		{"omniscient first-fit over all nodes", q.FirstFit, "-"},
		{"spillway", q.Ours, strconv.Itoa(q.Creates)},
		{"by the sum of each target's room", q.BySums, "-"},
	} {
		share := float64(way.Placed) / float64(max(q.FirstFit.Placed, 1))
		lines = append(lines, []string{way.name, strconv.Itoa(way.Placed), number(share), strconv.Itoa(way.Waiting), strconv.Itoa(way.Stuck), way.creates})
	}
	return lines
}

// woken is how soon a pod that waits learns of room.
func (r *Results) woken() [][]string {
	w := r.Wake
	if w == nil {
		return nil
	}
	return [][]string{
		{"", ""},
		{"times", strconv.Itoa(w.Rounds)},
		{"other pods that wait", strconv.Itoa(w.Others)},
		{"p50, s", number(w.P50)},
		{"p99, s", number(w.P99)},
		{"slowest, s", number(w.Max)},
		{"p50 where a pod of the target ended, s", number(w.PodEnded)},
		{"p50 where a node was uncordoned, s", number(w.NodeUncordoned)},
	}
}
