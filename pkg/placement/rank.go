package placement

import (
	"cmp"
	"math"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// Place is one candidate that can run the pod: a local node, or a target.
type Place struct {
	Name     string
	Local    bool
	Estimate Estimate
	// FreeShare is the share of the place's room, 0 to 1, that the pod leaves free, of its tightest resource.
	FreeShare float64
	// Growing: the pod fits no node that is there now, and waits for one that the place is to make.
	Growing bool
	// Labels of the virtual node, for a policy's selectors.
	Labels labels.Set
	// LastPlaced is when the pod's owner, such as its ReplicaSet, last had a pod put here; zero if it has none here.
	LastPlaced time.Time
}

// Score is how good a place is among those it was ranked with.
type Score struct {
	// Tier comes first: any place of an earlier tier beats all of a later one.
	Tier int
	// Cost, Carbon and Capacity are each the ratio to the best place, 0 to 1.
	Cost, Carbon, Capacity float64
	// Total is 0 to 100: tier first, then the weighted mean of the three.
	Total int64
	// Sticky says that the place leads its tier because the pod's owner is there already: another is as good, or better by
	// no more than the tolerance.
	Sticky bool
}

// Rank scores admitted places together; the result is parallel to places.
//
// Tiers: with LocalFirst, local places are tier 0 and targets follow by the policy's overflow, those in none last. With
// Any, local places are equal to the first overflow tier. Places that have yet to grow come after all others, whatever the
// mode, in tiers of the same order. Ratios are to the best of all the places, whatever its tier.
//
// Total: one tier spreads over 0 to 100; with more, the first has 50 to 100 and the later ones share what is below.
// Within a tier a better weighted mean, to nine decimals, always has a higher Total, as long as the steps suffice; then
// the best keep steps of their own and the rest share the lowest. Equal means tie, except that a place with an unknown
// signal that weighs something comes after one where all is known. Ties have the same Total: the caller chooses.
//
// The place where the pod's owner last put a pod leads its tier, unless another's mean is better by more than the
// tolerance: see stick.
func (p *Policy) Rank(places []Place) []Score {
	tolerance := float64(p.TolerancePercent) / 100
	cost, carbon, room := toBest(costs(places), tolerance), toBest(emissions(places), tolerance), rooms(places)

	scores, standings := make([]Score, len(places)), make([]standing, len(places))
	for i, place := range places {
		scores[i] = Score{Tier: p.tier(place), Cost: cost[i].value, Carbon: carbon[i].value, Capacity: room[i]}
		standings[i] = standing{
			index:    i,
			tier:     scores[i].Tier,
			mean:     math.Round(p.mean(scores[i])/noise) * noise,
			unknowns: unknowns(cost[i], p.Weights.Cost) + unknowns(carbon[i], p.Weights.Carbon),
		}
	}
	for _, index := range stick(places, standings, tolerance) {
		scores[index].Sticky = true
	}
	setTotals(scores, standings)
	return scores
}

func (p *Policy) tier(place Place) int {
	if place.Growing {
		place.Growing = false
		return len(p.Overflow) + 2 + p.tier(place) // after the last tier of those that have room
	}
	if place.Local {
		return 0
	}
	first := 0
	if p.Mode == v1alpha1.ModeLocalFirst {
		first = 1
	}
	for i, selector := range p.Overflow {
		if selector.Matches(place.Labels) {
			return first + i
		}
	}
	return first + len(p.Overflow)
}

// mean is weighted; Compile made sure that a weight is positive.
func (p *Policy) mean(s Score) float64 {
	cost, carbon, capacity := float64(p.Weights.Cost), float64(p.Weights.Carbon), float64(p.Weights.Capacity)
	return (cost*s.Cost + carbon*s.Carbon + capacity*s.Capacity) / (cost + carbon + capacity)
}

func unknowns(r ratio, weight int32) int {
	if r.unknown && weight > 0 {
		return 1
	}
	return 0
}

// standing is what orders a place; equal standings tie.
type standing struct {
	index, tier int
	mean        float64
	unknowns    int
	home        bool // the owner's, and it is good enough to lead its tier
}

func (s standing) compare(other standing) int {
	return cmp.Or(
		cmp.Compare(s.tier, other.tier),
		cmp.Compare(other.mean, s.mean),
		cmp.Compare(s.unknowns, other.unknowns),
		first(s.home, other.home),
	)
}

func setTotals(scores []Score, standings []standing) {
	slices.SortFunc(standings, standing.compare)
	tiers := runs(standings, func(a, b standing) bool { return a.tier == b.tier })
	for i, tier := range tiers {
		low, high := band(i, len(tiers))
		ties := runs(tier, func(a, b standing) bool { return a.compare(b) == 0 })
		last := high + 1
		for j, tie := range ties {
			below := int64(len(ties) - 1 - j)
			total := low + int64(math.Round(tie[0].mean*float64(high-low)))
			// Leave a step for each worse one, take one from the better one; never leave the band.
			last = max(low, min(max(total, low+below), last-1))
			for _, s := range tie {
				scores[s.index].Total = last
			}
		}
	}
}

// band is the part of 0 to 100 for the i-th of n tiers. The first gets half of it, because it decides.
func band(i, n int) (low, high int64) {
	if n == 1 {
		return 0, 100
	}
	if i == 0 {
		return 50, 100
	}
	size := int64(50 / (n - 1))
	high = 49 - int64(i-1)*size
	return high - size + 1, high
}

// runs cuts a sorted slice where neighbours are no longer the same.
func runs[T any](sorted []T, same func(a, b T) bool) [][]T {
	var cut [][]T
	start := 0
	for i := 1; i <= len(sorted); i++ {
		if i == len(sorted) || !same(sorted[i-1], sorted[i]) {
			cut = append(cut, sorted[start:i])
			start = i
		}
	}
	return cut
}
