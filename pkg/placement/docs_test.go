package placement_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

// The worked examples of docs/signals.md: their inputs are here, and each row is computed and looked for in the page.
var (
	exampleRequest = placement.Request{Cores: 2, GiB: 8}
	exampleTargets = []struct {
		name                                     string
		core, gib, intensity, pue, erf, embodied string
		freeShare                                float64
	}{
		{"heata", "20m", "3m", "120", "1.05", "800m", "0", 0.5},
		{"cloud", "45m", "6m", "250", "1.135", "0", "0", 0.8},
		{"cellar", "30m", "4m", "16", "1.58", "0", "500m", 0.2},
	}
)

func TestTheWorkedExamplesOfTheDocsAreTrue(t *testing.T) {
	page, err := os.ReadFile("../../docs/signals.md")
	require.NoError(t, err)

	var places []placement.Place
	for _, x := range exampleTargets {
		signals := placement.Signals{
			Price: placement.PriceFrom(&v1alpha1.Price{
				Currency: "GBP", CPUCoreHour: *quantity(x.core), MemoryGiBHour: quantity(x.gib)}),
			Carbon: placement.CarbonFrom(&v1alpha1.Carbon{GramsPerKWh: *quantity(x.intensity)}),
			Energy: placement.EnergyFrom(&v1alpha1.Energy{
				PUE: quantity(x.pue), EnergyReuseFactor: quantity(x.erf), EmbodiedGramsPerCoreHour: quantity(x.embodied)}),
		}
		e := placement.EstimateFor(exampleRequest, signals)
		places = append(places, placement.Place{Name: x.name, Estimate: e, FreeShare: x.freeShare})
		assert.Contains(t, string(page), row(x.name,
			signals.Price.PerCoreHour, signals.Price.PerGiBHour, signals.Carbon.GramsPerKWh, signals.Energy.PUE,
			signals.Energy.EnergyReuseFactor, signals.Energy.EmbodiedGramsPerCoreHour,
			*e.CostPerHour, *e.WattsAtPlug, *e.GramsPerHour))
	}
	scores := compile(t, v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeAny}).Rank(places)
	for i, score := range scores {
		assert.Contains(t, string(page), row(places[i].Name,
			places[i].FreeShare, score.Cost, score.Carbon, score.Capacity, float64(score.Total)))
	}

	limited := compile(t, v1alpha1.PlacementPolicySpec{
		Limits: &v1alpha1.Limits{PricePerHour: quantity("100m"), Currency: "GBP"}})
	assert.Contains(t, strings.ReplaceAll(string(page), "\n", " "), strconv.Quote(limited.Admit(places[1])))
	fullest := compile(t, v1alpha1.PlacementPolicySpec{Weights: &v1alpha1.Weights{Capacity: 1}}).Rank(places)
	assert.Equal(t, int64(100), fullest[1].Total, "the page says that cloud wins by capacity")
}

func TestTheDefaultsInTheDocsAreTheDefaults(t *testing.T) {
	page, err := os.ReadFile("../../docs/signals.md")
	require.NoError(t, err)
	energy := placement.EnergyFrom(nil)
	for field, value := range map[string]float64{
		"`wattsPerCoreIdle`":         energy.WattsPerCoreIdle,
		"`wattsPerCoreMax`":          energy.WattsPerCoreMax,
		"`wattsPerGiB`":              energy.WattsPerGiB,
		"`pue`":                      energy.PUE,
		"`energyReuseFactor`":        energy.EnergyReuseFactor,
		"`embodiedGramsPerCoreHour`": energy.EmbodiedGramsPerCoreHour,
		"fixed":                      placement.Utilisation,
	} {
		assert.Contains(t, string(page), "| "+field+" | "+placement.Decimal(value)+" |")
	}
}

func row(name string, numbers ...float64) string {
	cells := []string{name}
	for _, number := range numbers {
		cells = append(cells, placement.Decimal(number))
	}
	return "| " + strings.Join(cells, " | ") + " |"
}
