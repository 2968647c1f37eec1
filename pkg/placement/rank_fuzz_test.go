package placement_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

// FuzzRank holds for any places and any valid policy: totals are within bounds, a later tier is always below an earlier
// one, a better mean is never below a worse one (and above it while the steps suffice), and the order of the places
// does not matter.
func FuzzRank(f *testing.F) {
	f.Add(uint64(1), uint8(3), uint8(1), uint8(1), uint8(1), uint8(0))
	f.Add(uint64(7), uint8(200), uint8(0), uint8(9), uint8(0), uint8(16))
	f.Fuzz(func(t *testing.T, seed uint64, count, cost, carbon, capacity, overflow uint8) {
		random := rand.New(rand.NewPCG(seed, seed))
		policy, err := placement.Compile("fuzz", anyPolicy(random, cost, carbon, capacity, overflow%17))
		if err != nil {
			require.True(t, placement.IsInvalidPolicy(err))
			return
		}
		places := make([]placement.Place, count)
		for i := range places {
			places[i] = anyPlace(random)
		}
		scores := policy.Rank(places)
		require.Len(t, scores, len(places))
		for i, a := range scores {
			require.True(t, 0 <= a.Total && a.Total <= 100 && unit(a.Cost) && unit(a.Carbon) && unit(a.Capacity), "%+v", a)
			for _, b := range scores {
				requireOrder(t, policy, a, b, len(places))
			}
			policy.Admit(places[i])
		}

		shuffled := random.Perm(len(places))
		moved := make([]placement.Place, len(places))
		for to, from := range shuffled {
			moved[to] = places[from]
		}
		for to, score := range policy.Rank(moved) {
			require.Equal(t, scores[shuffled[to]], score)
		}
	})
}

func requireOrder(t *testing.T, policy *placement.Policy, a, b placement.Score, count int) {
	t.Helper()
	const visible = 1e-8
	better := mean(policy, a) - mean(policy, b)
	switch {
	case a.Tier < b.Tier:
		require.Greater(t, a.Total, b.Total, "a later tier is below")
	case a.Tier == b.Tier && better > visible && count <= 2: // any tier has two steps
		require.Greater(t, a.Total, b.Total, "a better mean is above")
	case a.Tier == b.Tier && better > visible:
		require.GreaterOrEqual(t, a.Total, b.Total, "a better mean is not below")
	}
}

func mean(p *placement.Policy, s placement.Score) float64 {
	cost, carbon, capacity := float64(p.Weights.Cost), float64(p.Weights.Carbon), float64(p.Weights.Capacity)
	return (cost*s.Cost + carbon*s.Carbon + capacity*s.Capacity) / (cost + carbon + capacity)
}

func anyPolicy(random *rand.Rand, cost, carbon, capacity, overflow uint8) v1alpha1.PlacementPolicySpec {
	modes := []v1alpha1.PlacementMode{v1alpha1.ModeLocalFirst, v1alpha1.ModeAny, v1alpha1.ModeRemoteOnly}
	spec := v1alpha1.PlacementPolicySpec{
		Mode:             modes[random.IntN(len(modes))],
		Weights:          &v1alpha1.Weights{Cost: int32(cost), Carbon: int32(carbon), Capacity: int32(capacity)},
		TolerancePercent: new(random.Int32N(101)),
	}
	for i := range overflow {
		spec.Overflow = append(spec.Overflow, v1alpha1.OverflowTier{TargetSelector: *matching("tier", fmt.Sprint(i))})
	}
	return spec
}

func anyPlace(random *rand.Rand) placement.Place {
	p := placement.Place{
		Local:     random.IntN(4) == 0,
		FreeShare: anyNumber(random),
		Labels:    map[string]string{"tier": fmt.Sprint(random.IntN(20))},
	}
	if random.IntN(5) > 0 {
		p.Estimate.CostPerHour = new(anyNumber(random))
		p.Estimate.Currency = []string{"GBP", "EUR", ""}[random.IntN(3)]
	}
	if random.IntN(5) > 0 {
		p.Estimate.GramsPerHour, p.Estimate.Marginal = new(anyNumber(random)), random.IntN(3) == 0
	}
	return p
}

func anyNumber(random *rand.Rand) float64 {
	odd := []float64{0, 1, -1, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64}
	if i := random.IntN(3 * len(odd)); i < len(odd) {
		return odd[i]
	}
	return random.Float64()
}

func unit(x float64) bool { return 0 <= x && x <= 1 }
