package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Sequential: it needs the local nodes' room for itself.
func TestLocalNodesFillFirstAndTheRestBursts(t *testing.T) {
	s := givenNamespace(t, source, burst)

	// Two nodes of 8 CPUs: no two such pods fit one.
	s.createElected("first", requesting("6", ""))
	s.expectRunningLocally("first")
	s.createElected("second", requesting("6", ""))
	s.expectRunningLocally("second")
	s.createElected("third", requesting("6", ""))

	s.expectRunningOn("third", heata.name)
	record := s.record("third")
	for _, place := range record.Places {
		if place.Local {
			assert.False(t, place.Feasible)
			assert.Contains(t, place.Reason, "Insufficient cpu")
		}
	}

	first := s.getPod("first")
	s.deletePod("first", nil)
	s.expectGone(first)
	s.createElected("fourth", requesting("6", ""))

	s.expectRunningLocally("fourth")
}
