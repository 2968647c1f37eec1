package main

import (
	"math"
	"slices"
	"time"
)

// latencies returns the time from one moment to the other of each name that has both, shortest first.
func latencies(from, to map[string]time.Time) []time.Duration {
	var all []time.Duration
	for name, start := range from {
		if end, ok := to[name]; ok {
			all = append(all, end.Sub(start))
		}
	}
	slices.Sort(all)
	return all
}

// percentile of sorted durations by nearest rank: one that was really measured. 0 when there are none.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

// span is from the first of some moments to the last of others.
func span(from, to map[string]time.Time) time.Duration {
	var first, last time.Time
	for _, t := range from {
		if first.IsZero() || t.Before(first) {
			first = t
		}
	}
	for _, t := range to {
		if t.After(last) {
			last = t
		}
	}
	return last.Sub(first)
}
