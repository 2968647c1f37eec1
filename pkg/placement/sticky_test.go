package placement_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

func TestStickiness(t *testing.T) {
	tolerating := func(percent int32, weights v1alpha1.Weights) v1alpha1.PlacementPolicySpec {
		return v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeAny, Weights: &weights, TolerancePercent: &percent}
	}
	equally := v1alpha1.Weights{Cost: 1, Carbon: 1, Capacity: 1}
	tests := map[string]struct {
		policy v1alpha1.PlacementPolicySpec
		places []placement.Place
		winner string // "" when several tie
		sticky []string
	}{
		"without pods anywhere equal places tie": {
			policy: byCost, places: []placement.Place{place("a", 1, 1, 1), place("b", 1, 1, 1)}},
		"of equal places the owner's leads": {
			policy: byCost, places: []placement.Place{place("a", 1, 1, 1), used(place("b", 1, 1, 1), 5)}, winner: "b", sticky: []string{"b"}},
		"a difference of 2 percent does not move it": {
			policy: byCost, places: []placement.Place{place("a", 1, 1, 1), used(place("b", 1.02, 1, 1), 5)}, winner: "b", sticky: []string{"b"}},
		"one at the tolerance does not": {
			policy: byCost, places: []placement.Place{place("a", 1, 1, 1), used(place("b", 1.05, 1, 1), 5)}, winner: "b", sticky: []string{"b"}},
		"one just over it does": {
			policy: byCost, places: []placement.Place{place("a", 1, 1, 1), used(place("b", 1.051, 1, 1), 5)}, winner: "a"},
		"a difference of 20 percent does": {
			policy: byCost, places: []placement.Place{place("a", 1, 1, 1), used(place("b", 1.2, 1, 1), 5)}, winner: "a"},
		"a factor over the tolerance counts only as much as it weighs": {
			policy: tolerating(5, equally), places: []placement.Place{place("a", 1, 1, 0.5), used(place("b", 1.1, 1, 0.5), 5)},
			winner: "b", sticky: []string{"b"}},
		"a little more room elsewhere does not move it": {
			policy: tolerating(5, equally), places: []placement.Place{place("a", 1, 1, 0.5), used(place("b", 1, 1, 0.45), 5)},
			winner: "b", sticky: []string{"b"}},
		"much more room does": {
			policy: tolerating(5, equally), places: []placement.Place{place("a", 1, 1, 0.9), used(place("b", 1, 1, 0.1), 5)}, winner: "a"},
		"without tolerance only a tie is broken": {
			policy: tolerating(0, v1alpha1.Weights{Cost: 1}),
			places: []placement.Place{place("a", 1, 1, 1), place("b", 2, 1, 1), used(place("c", 1, 1, 1), 5)}, winner: "c", sticky: []string{"c"}},
		"without tolerance any difference moves it": {
			policy: tolerating(0, v1alpha1.Weights{Cost: 1}), places: []placement.Place{place("a", 1, 1, 1), used(place("b", 1.0001, 1, 1), 5)}, winner: "a"},
		"with a tolerance of 100 it stays up to twice the cost": {
			policy: tolerating(100, v1alpha1.Weights{Cost: 1}), places: []placement.Place{place("a", 1, 1, 1), used(place("b", 2, 1, 1), 5)},
			winner: "b", sticky: []string{"b"}},
		"and not beyond": {
			policy: tolerating(100, v1alpha1.Weights{Cost: 1}), places: []placement.Place{place("a", 1, 1, 1), used(place("b", 2.01, 1, 1), 5)}, winner: "a"},
		"what is free moves it from what is not": {
			policy: byCost, places: []placement.Place{place("a", 0, 1, 1), used(place("b", 0.01, 1, 1), 5)}, winner: "a"},
		"a home that is the best anyway is not called sticky": {
			policy: byCost, places: []placement.Place{place("a", 2, 1, 1), used(place("b", 1, 1, 1), 5)}, winner: "b"},
		"of two homes the one used last leads": {
			policy: byCost, places: []placement.Place{used(place("a", 1, 1, 1), 10), used(place("b", 1.02, 1, 1), 5)}, winner: "b", sticky: []string{"b"}},
		"of two homes used in one second the better one leads": {
			policy: byCost, places: []placement.Place{used(place("a", 3, 1, 1), 5), used(place("b", 1, 1, 1), 5), place("c", 1, 1, 1)},
			winner: "b", sticky: []string{"b"}},
		"of two equal homes used in one second the first by name": {
			policy: byCost, places: []placement.Place{used(place("b", 1, 1, 1), 5), used(place("a", 1, 1, 1), 5)}, winner: "a", sticky: []string{"a"}},
		"a home far from the best does not hold back the one before it": {
			policy: byCost, places: []placement.Place{used(place("a", 1, 1, 1), 10), used(place("b", 3, 1, 1), 5), place("c", 1, 1, 1)},
			winner: "a", sticky: []string{"a"}},
		"a home whose price is unknown does not lead one that is known": {
			policy: byCost, places: []placement.Place{place("a", 1, 1, 1), used(unpriced(place("b", 0, 1, 1)), 5)}, winner: "a"},
		"nor does it by the tolerance": {
			policy: tolerating(100, equally), places: []placement.Place{place("a", 1, 1, 1), used(unpriced(place("b", 0, 1, 1)), 5)}, winner: "a"},
		"of places that are all unknown the home leads": {
			policy: byCost, places: []placement.Place{unpriced(place("a", 0, 1, 1)), used(unpriced(place("b", 0, 1, 1)), 5)}, winner: "b", sticky: []string{"b"}},
		"local nodes are a home as well": {
			policy: byCost, places: []placement.Place{place("a", 1, 1, 1), used(local(place("local", 1, 1, 1)), 5)}, winner: "local", sticky: []string{"local"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			scores := compile(t, test.policy).Rank(test.places)
			assert.Equal(t, test.winner, leader(test.places, scores))
			var sticky []string
			for i, score := range scores {
				if score.Sticky {
					sticky = append(sticky, test.places[i].Name)
				}
			}
			assert.Equal(t, test.sticky, sticky)
		})
	}
}

func TestStickinessNeverCrossesTiers(t *testing.T) {
	spec := v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeLocalFirst, TolerancePercent: new(int32(100)),
		Overflow: []v1alpha1.OverflowTier{{TargetSelector: *matching("tier", "one")}}}
	places := []placement.Place{
		local(place("local", 1, 1, 0.01)), labelled(place("first", 1, 1, 0.01), "tier", "one"), used(place("rest", 0.9, 0.9, 1), 1)}
	policy := compile(t, spec)
	assert.Equal(t, "local", leader(places, policy.Rank(places)))
	assert.Equal(t, "first", leader(places[1:], policy.Rank(places[1:])), "when local nodes are full")
}

func TestStickinessShowsInTheTotals(t *testing.T) {
	places := []placement.Place{place("a", 1, 1, 1), used(place("b", 1.02, 1, 1), 5), place("c", 4, 1, 1)}
	assert.Empty(t, cmp.Diff([]int64{99, 100, 25}, totals(compile(t, byCost).Rank(places))))
}

// leader is the place with the highest total, or "" where several have it.
func leader(places []placement.Place, scores []placement.Score) string {
	best := slices.MaxFunc(scores, func(a, b placement.Score) int { return int(a.Total - b.Total) })
	name := ""
	for i, score := range scores {
		if score.Total != best.Total {
			continue
		}
		if name != "" {
			return ""
		}
		name = places[i].Name
	}
	return name
}
