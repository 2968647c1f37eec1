package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
)

func TestPercentile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	tests := map[string]struct {
		sorted []time.Duration
		p      float64
		want   time.Duration
	}{
		"nothing measured is zero":                      {nil, 50, 0},
		"one measurement is every percentile":           {hundred[:1], 99, 1},
		"the median of an even number is the lower one": {hundred[:4], 50, 2},
		"p99 of a hundred is the last but one":          {hundred, 99, 99},
		"p100 is the last":                              {hundred, 100, 100},
		"p0 is the first":                               {hundred, 0, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, percentile(tt.sorted, tt.p))
		})
	}
}

func TestLatenciesLeaveOutWhatHasNotEnded(t *testing.T) {
	start := time.Unix(100, 0)
	created := map[string]time.Time{"slow": start, "quick": start, "never": start}
	running := map[string]time.Time{"slow": start.Add(2 * time.Second), "quick": start.Add(time.Second), "other": start}
	want := []time.Duration{time.Second, 2 * time.Second}
	assert.Empty(t, cmp.Diff(want, latencies(created, running)))
	assert.Equal(t, 2*time.Second, span(created, running))
}
