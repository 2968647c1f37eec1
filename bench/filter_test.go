package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
)

func TestParseBenchmark(t *testing.T) {
	want := Filtering{P50: 0.155439, P99: 0.551061, Bytes: 68576, Allocs: 581}
	tests := map[string]struct {
		line string
		name string
		want Filtering
		ok   bool
	}{
		"a line of a benchmark": {"BenchmarkFilterAlike \t 5250\t 259205 ns/op\t 155439 p50-ns\t 551061 p99-ns\t 68576 B/op\t 581 allocs/op\n",
			"BenchmarkFilterAlike", want, true},
		"on many cores the name has their number": {"BenchmarkFilterAlike-8 5250 259205 ns/op 155439 p50-ns 551061 p99-ns 68576 B/op 581 allocs/op",
			"BenchmarkFilterAlike", want, true},
		"other lines are none":                 {"cpu: Intel(R) Xeon(R) Processor\n", "", Filtering{}, false},
		"a benchmark that failed has no value": {"BenchmarkFilterAlike --- FAIL: no target", "", Filtering{}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			gotName, got, ok := parseBenchmark(tt.line)
			assert.Equal(t, tt.ok, ok)
			assert.Equal(t, tt.name, gotName)
			assert.Empty(t, cmp.Diff(tt.want, got))
		})
	}
}
