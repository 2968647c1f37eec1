package placement_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/assert"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

var (
	byCost     = v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeAny, Weights: &v1alpha1.Weights{Cost: 1}}
	byCarbon   = v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeAny, Weights: &v1alpha1.Weights{Carbon: 1}}
	byCapacity = v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeAny, Weights: &v1alpha1.Weights{Capacity: 1}}
)

func TestTotals(t *testing.T) {
	marginal := place("x", 1, 1, 1)
	marginal.Estimate.Marginal = true
	tests := map[string]struct {
		policy v1alpha1.PlacementPolicySpec
		places []placement.Place
		want   []int64
	}{
		"a place alone is the best": {policy: byCost, places: []placement.Place{place("a", 7, 7, 0)}, want: []int64{100}},
		"the cheapest wins by cost": {
			policy: byCost,
			places: []placement.Place{place("a", 2, 1, 1), place("b", 1, 9, 0.1), place("c", 4, 1, 1)},
			want:   []int64{50, 100, 25}},
		"the greenest wins by carbon, and one dirty place does not make the others alike": {
			policy: byCarbon,
			places: []placement.Place{place("a", 1, 16, 1), place("b", 1, 60, 1), place("c", 1, 800, 1)},
			want:   []int64{100, 27, 2}},
		"the one with most room wins by capacity": {
			policy: byCapacity,
			places: []placement.Place{place("a", 1, 1, 0.2), place("b", 9, 9, 0.8)},
			want:   []int64{25, 100}},
		"of places with little room the fullest comes first, so that another keeps its large pieces": {
			policy: byCapacity,
			places: []placement.Place{place("a", 1, 1, 0.2), place("b", 1, 1, 0.1), place("c", 1, 1, 0)},
			want:   []int64{67, 83, 100}},
		"any place with plenty of room comes before all with little": {
			policy: byCapacity,
			places: []placement.Place{place("a", 1, 1, 0.29), place("b", 1, 1, 0.01), place("c", 1, 1, 0.31)},
			want:   []int64{50, 95, 100}},
		"a place that has yet to grow comes after all that have room, whatever the tiers": {
			policy: v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeLocalFirst, Weights: &v1alpha1.Weights{Cost: 1}},
			places: []placement.Place{growing(place("free", 0.1, 1, 1)), place("dear", 9, 1, 1), growing(place("dearer", 0.2, 1, 1))},
			want:   []int64{49, 51, 25}},
		"places within the tolerance tie": {
			policy: byCarbon,
			places: []placement.Place{place("a", 1, 200, 1), place("b", 1, 201, 1), place("c", 1, 210, 1)},
			want:   []int64{100, 100, 100}},
		"without a tolerance a small difference is one step, though the scores round alike": {
			policy: v1alpha1.PlacementPolicySpec{
				Mode: v1alpha1.ModeAny, Weights: &v1alpha1.Weights{Carbon: 1}, TolerancePercent: new(int32)},
			places: []placement.Place{place("a", 1, 2000, 1), place("b", 1, 2001, 1), place("c", 1, 2000.5, 1)},
			want:   []int64{100, 98, 99}},
		"places that are all far worse than the best still differ by a step": {
			policy: byCost,
			places: []placement.Place{place("a", 3000, 1, 1), place("b", 1, 1, 1), place("c", 2000, 1, 1), place("d", 1000, 1, 1)},
			want:   []int64{0, 100, 1, 2}},
		"weights of opposite places balance": {
			policy: v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeAny, Weights: &v1alpha1.Weights{Cost: 3, Carbon: 3}},
			places: []placement.Place{place("cheap", 1, 2, 1), place("green", 2, 1, 1)},
			want:   []int64{75, 75}},
		"weights are relative to each other": {
			policy: v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeAny, Weights: &v1alpha1.Weights{Cost: 3, Carbon: 1}},
			places: []placement.Place{place("cheap", 1, 2, 1), place("green", 2, 1, 1)},
			want:   []int64{88, 63}},
		"a weight of a hundred against one decides, and the small one still breaks ties": {
			policy: v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeAny, Weights: &v1alpha1.Weights{Cost: 100, Carbon: 1}},
			places: []placement.Place{place("a", 1, 100, 1), place("b", 1.1, 1, 1), place("c", 1, 50, 1)},
			want:   []int64{98, 91, 99}},
		"weights that are all a hundred are as good as one": {
			policy: v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeAny, Weights: &v1alpha1.Weights{Cost: 100, Carbon: 100, Capacity: 100}},
			places: []placement.Place{place("a", 1, 2, 0.5), place("b", 4, 1, 1)},
			want:   []int64{67, 75}},
		"with a tolerance of a hundred all up to twice the best tie": {
			policy: v1alpha1.PlacementPolicySpec{
				Mode: v1alpha1.ModeAny, Weights: &v1alpha1.Weights{Cost: 1}, TolerancePercent: new(int32(100))},
			places: []placement.Place{place("a", 1, 1, 1), place("b", 2, 1, 1), place("c", 2.5, 1, 1)},
			want:   []int64{100, 100, 40}},
		"a tolerance of a hundred does not make up for a best of nothing": {
			policy: v1alpha1.PlacementPolicySpec{
				Mode: v1alpha1.ModeAny, Weights: &v1alpha1.Weights{Cost: 1}, TolerancePercent: new(int32(100))},
			places: []placement.Place{place("a", 0, 1, 1), place("b", 0.01, 1, 1)},
			want:   []int64{100, 0}},
		"the tolerance is not for room": {
			policy: v1alpha1.PlacementPolicySpec{
				Mode: v1alpha1.ModeAny, Weights: &v1alpha1.Weights{Capacity: 1}, TolerancePercent: new(int32(100))},
			places: []placement.Place{place("a", 1, 1, 0.99), place("b", 1, 1, 1)},
			want:   []int64{99, 100}},
		"an unknown price counts as the worst, not as the dearest within the tolerance": {
			policy: v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeAny, Weights: &v1alpha1.Weights{Cost: 1, Carbon: 1}},
			places: []placement.Place{unpriced(place("a", 0, 1, 1)), place("b", 1, 2, 1), place("c", 10, 2, 1)},
			want:   []int64{55, 75, 30}},
		"an unknown price counts as the worst that is known, and loses the tie with it": {
			policy: byCost,
			places: []placement.Place{unpriced(place("a", 0, 1, 1)), place("b", 1, 1, 1), place("c", 2, 1, 1)},
			want:   []int64{49, 100, 50}},
		"an unknown price does not equal the only known one": {
			policy: byCost,
			places: []placement.Place{unpriced(place("a", 0, 1, 1)), place("b", 1, 1, 1)},
			want:   []int64{99, 100}},
		"an unknown price is no loss where price weighs nothing": {
			policy: byCarbon,
			places: []placement.Place{unpriced(place("a", 0, 1, 1)), place("b", 1, 1, 1)},
			want:   []int64{100, 100}},
		"where no price is known, all are equal": {
			policy: byCost,
			places: []placement.Place{unpriced(place("a", 0, 1, 1)), unpriced(place("b", 0, 5, 0.5))},
			want:   []int64{100, 100}},
		"a price in a rarer currency counts as unknown": {
			policy: byCost,
			places: []placement.Place{place("a", 2, 1, 1), priced(place("b", 0.1, 1, 1), "EUR"), place("c", 4, 1, 1)},
			want:   []int64{100, 49, 50}},
		"of two equally common currencies the first in the alphabet is compared": {
			policy: byCost,
			places: []placement.Place{place("a", 1, 1, 1), priced(place("b", 9, 1, 1), "EUR")},
			want:   []int64{99, 100}},
		"marginal emissions are not compared with average ones": {
			policy: byCarbon,
			places: []placement.Place{marginal, place("b", 1, 100, 1), place("c", 1, 200, 1)},
			want:   []int64{49, 100, 50}},
		"what is free beats all that is not": {
			policy: byCost,
			places: []placement.Place{place("a", 0, 1, 1), place("b", 0.000001, 1, 1), place("c", 5, 1, 1)},
			want:   []int64{100, 0, 0}},
		"where nobody has room left, all are equal": {
			policy: byCapacity,
			places: []placement.Place{place("a", 1, 1, 0), place("b", 1, 1, 0)},
			want:   []int64{100, 100}},
		"numbers that are none count as unknown": {
			policy: byCost,
			places: []placement.Place{place("a", math.NaN(), 1, 1), place("b", -1, 1, 1), place("c", 3, 1, 1)},
			want:   []int64{99, 99, 100}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Empty(t, cmp.Diff(test.want, totals(compile(t, test.policy).Rank(test.places))))
		})
	}
}

func TestTiers(t *testing.T) {
	overflow := []v1alpha1.OverflowTier{
		{TargetSelector: *matching("tier", "one")}, {TargetSelector: *matching("tier", "two")}}
	places := []placement.Place{
		place("unlisted", 1, 1, 1),
		labelled(place("second", 2, 2, 1), "tier", "two"),
		labelled(place("first", 4, 4, 0.1), "tier", "one"),
		labelled(local(place("local", 9, 9, 0)), "tier", "two"), // tiers are of targets, whatever a local node's labels
	}
	tests := map[string]struct {
		policy v1alpha1.PlacementPolicySpec
		tiers  []int
		order  []string
	}{
		"local first: local, then the overflow in its order, then the rest": {
			policy: v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeLocalFirst, Overflow: overflow},
			tiers:  []int{3, 2, 1, 0},
			order:  []string{"local", "first", "second", "unlisted"}},
		"local first without overflow: local, then all targets by score": {
			policy: v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeLocalFirst},
			tiers:  []int{1, 1, 1, 0},
			order:  []string{"local", "unlisted", "second", "first"}},
		"any: local is equal to the first tier of the overflow": {
			policy: v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeAny, Overflow: overflow},
			tiers:  []int{2, 1, 0, 0},
			order:  []string{"first", "local", "second", "unlisted"}},
		"an empty tier selects all targets and leaves nothing for the next": {
			policy: v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeLocalFirst, Overflow: append([]v1alpha1.OverflowTier{{}}, overflow...)},
			tiers:  []int{1, 1, 1, 0},
			order:  []string{"local", "unlisted", "second", "first"}},
		"a target in two tiers is in the first of them": {
			policy: v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeAny, Overflow: append(overflow[:1:1], overflow[0], overflow[1])},
			tiers:  []int{3, 2, 0, 0},
			order:  []string{"first", "local", "second", "unlisted"}},
		"any without overflow: all by score": {
			policy: v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeAny},
			tiers:  []int{0, 0, 0, 0},
			order:  []string{"unlisted", "second", "first", "local"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			scores := compile(t, test.policy).Rank(places)
			assert.Equal(t, test.order, ordered(places, scores))
			for i, score := range scores {
				assert.Equal(t, test.tiers[i], score.Tier, places[i].Name)
			}
		})
	}
}

func TestRemoteOnlyStartsItsTiersAtTheFirstOverflow(t *testing.T) {
	policy := compile(t, v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeRemoteOnly,
		Overflow: []v1alpha1.OverflowTier{{TargetSelector: *matching("tier", "one")}}})
	scores := policy.Rank([]placement.Place{labelled(place("a", 1, 1, 1), "tier", "one"), place("b", 1, 1, 1)})
	assert.Equal(t, 0, scores[0].Tier)
	assert.Equal(t, 1, scores[1].Tier)
	assert.Equal(t, []int64{100, 49}, totals(scores))
}

func TestRankGivesTheRatiosToTheBest(t *testing.T) {
	scores := compile(t, byCost).Rank([]placement.Place{place("a", 1, 8, 0.4), place("b", 4, 2, 0.8)})
	want := []placement.Score{
		{Cost: 1, Carbon: 0.25, Capacity: 0.5, Total: 100},
		{Cost: 0.25, Carbon: 1, Capacity: 1, Total: 25},
	}
	assert.Empty(t, cmp.Diff(want, scores, cmpopts.EquateApprox(0, 1e-12)))
}

func TestMorePlacesThanStepsKeepTheBestApart(t *testing.T) {
	var places []placement.Place
	for i := range 300 {
		places = append(places, place(fmt.Sprint(i), 1, 1, 1-float64(i)/1000))
	}
	got := totals(compile(t, byCapacity).Rank(places))
	assert.Equal(t, []int64{100, 99, 98}, got[:3])
	assert.Equal(t, int64(0), got[299])
	assert.True(t, slices.IsSortedFunc(got, func(a, b int64) int { return int(b - a) }))
}

func TestRankOfNothingIsNothing(t *testing.T) {
	assert.Empty(t, placement.BuiltIn().Rank(nil))
}

func ordered(places []placement.Place, scores []placement.Score) []string {
	order := make([]int, len(places))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return int(scores[b].Total - scores[a].Total) })
	names := make([]string, len(order))
	for i, place := range order {
		names[i] = places[place].Name
	}
	return names
}
