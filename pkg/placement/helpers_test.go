package placement_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func quantity(s string) *resource.Quantity {
	q := resource.MustParse(s)
	return &q
}

func compile(t *testing.T, spec v1alpha1.PlacementPolicySpec) *placement.Policy {
	t.Helper()
	policy, err := placement.Compile("test", spec)
	require.NoError(t, err)
	return policy
}

func matching(key, value string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}
}

// place is a target whose cost is in GBP and whose carbon is average.
func place(name string, cost, grams, freeShare float64) placement.Place {
	return placement.Place{Name: name, FreeShare: freeShare,
		Estimate: placement.Estimate{CostPerHour: &cost, Currency: "GBP", GramsPerHour: &grams}}
}

func local(p placement.Place) placement.Place {
	p.Local = true
	return p
}

func labelled(p placement.Place, key, value string) placement.Place {
	p.Labels = map[string]string{key: value}
	return p
}

func unpriced(p placement.Place) placement.Place {
	p.Estimate.CostPerHour, p.Estimate.Currency = nil, ""
	return p
}

func priced(p placement.Place, currency string) placement.Place {
	p.Estimate.Currency = currency
	return p
}

func totals(scores []placement.Score) []int64 {
	var result []int64
	for _, score := range scores {
		result = append(result, score.Total)
	}
	return result
}

// noisy adds at run time; the compiler's constants are exact.
func noisy(a, b float64) float64 { return a + b }

func used(p placement.Place, minutesAgo int) placement.Place {
	p.LastPlaced = noon.Add(-time.Duration(minutesAgo) * time.Minute)
	return p
}

func growing(p placement.Place) placement.Place {
	p.Growing = true
	return p
}
