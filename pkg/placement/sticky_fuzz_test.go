package placement_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spillway-dev/spillway/pkg/placement"
)

// FuzzStickiness holds for any places and any valid policy, with the owner's pods anywhere: nothing but the order within a
// tier changes; a place that leads by it has been used, is above all of its tier, is worse than none by more than the
// tolerance, and knows no less than the best; and the order of the places does not matter.
func FuzzStickiness(f *testing.F) {
	f.Add(uint64(1), uint8(3), uint8(1), uint8(1), uint8(1), uint8(0))
	f.Add(uint64(7), uint8(40), uint8(0), uint8(9), uint8(0), uint8(16))
	f.Add(uint64(11), uint8(9), uint8(100), uint8(0), uint8(100), uint8(2))
	f.Fuzz(func(t *testing.T, seed uint64, count, cost, carbon, capacity, overflow uint8) {
		random := rand.New(rand.NewPCG(seed, seed))
		policy, err := placement.Compile("fuzz", anyPolicy(random, cost, carbon, capacity, overflow%17))
		if err != nil {
			return
		}
		places := make([]placement.Place, count)
		for i := range places {
			places[i] = anyPlace(random)
			places[i].Name = fmt.Sprint(i)
		}
		before := policy.Rank(places)
		for i := range places {
			if random.IntN(3) == 0 {
				places[i].LastPlaced = time.Unix(int64(1+random.IntN(5)), 0)
			}
		}
		after := policy.Rank(places)
		for i, s := range after {
			require.True(t, 0 <= s.Total && s.Total <= 100, "%+v", s)
			same := s
			same.Total, same.Sticky = before[i].Total, false
			require.Equal(t, before[i], same, "only totals and marks change")
			for _, other := range after {
				if s.Tier < other.Tier {
					require.Greater(t, s.Total, other.Total, "a later tier is below")
				}
			}
			if s.Sticky {
				requireDeserved(t, policy, places, after, i)
			}
		}
		requireOrderIrrelevant(t, random, policy, places, after)
	})
}

func requireDeserved(t *testing.T, policy *placement.Policy, places []placement.Place, scores []placement.Score, home int) {
	t.Helper()
	require.False(t, places[home].LastPlaced.IsZero())
	own := mean(policy, scores[home])
	for i, other := range scores {
		if i == home || other.Tier != scores[home].Tier {
			continue
		}
		require.Greater(t, scores[home].Total, other.Total, "the home leads")
		require.LessOrEqual(t, mean(policy, other), own*(1+float64(policy.TolerancePercent)/100)+1e-6, "by no more than the tolerance")
	}
}

func requireOrderIrrelevant(t *testing.T, random *rand.Rand, policy *placement.Policy, places []placement.Place, scores []placement.Score) {
	t.Helper()
	shuffled := random.Perm(len(places))
	moved := make([]placement.Place, len(places))
	for to, from := range shuffled {
		moved[to] = places[from]
	}
	for to, score := range policy.Rank(moved) {
		require.Equal(t, scores[shuffled[to]], score)
	}
}
