package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

var (
	byCost     = &v1alpha1.Weights{Cost: 1}
	byCarbon   = &v1alpha1.Weights{Carbon: 1}
	byCapacity = &v1alpha1.Weights{Capacity: 1}
)

func TestTheCheapestTheGreenestOrTheEmptiestPlaceWinsAsTheWeightsSay(t *testing.T) {
	t.Parallel()
	// The spare cluster has the most room, and in turn one of the best and the worst price and carbon. Of the others heata
	// is the cheapest and the greenest.
	tests := []struct {
		name               string
		price, gramsPerKWh string
		weights            *v1alpha1.Weights
		mode               v1alpha1.PlacementMode
		want               string
	}{
		{"the cheapest wins, though it is the dirtiest", "1m", "900", byCost, v1alpha1.ModeAny, "spare"},
		{"the greenest wins, though it is not the cheapest", "1m", "900", byCarbon, v1alpha1.ModeAny, "heata"},
		{"the greenest wins, though it is the dearest", "500m", "1", byCarbon, v1alpha1.ModeRemoteOnly, "spare"},
		{"the cheapest wins, though it is not the greenest", "500m", "1", byCost, v1alpha1.ModeRemoteOnly, "heata"},
		{"the emptiest wins, though it is the dearest and dirtiest", "500m", "900", byCapacity, v1alpha1.ModeAny, "spare"},
		{"what costs next to nothing makes up for some carbon", "1m", "130", &v1alpha1.Weights{Cost: 10, Carbon: 1}, v1alpha1.ModeAny, "spare"},
	}
	s := givenNamespace(t, source, burst)
	target := s.givenSpare(priced("1m", "900"))
	for _, test := range tests { // one after another: they share the Target
		s.changeTarget(target, priced(test.price, test.gramsPerKWh))
		name := uniqueName("pod")
		policy := s.givenPolicy(v1alpha1.PlacementPolicySpec{Mode: test.mode, Weights: test.weights})

		s.createElected(name, requesting("2", "1Gi"), annotated(v1alpha1.AnnotationPolicy, policy.Name))

		pod := s.expectRunning(name)
		assert.True(t, onTarget(pod, test.want), "%s: wanted %s, but %s: %+v", test.name, test.want, describe(pod), s.record(name))
		s.deletePod(name, nil)
		s.expectGone(pod)
	}
}

func TestThePlacementIsRecordedOnThePodWithItsAlternatives(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	policy := s.givenPolicy(v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeAny, Weights: byCost})

	s.createElected("judged", requesting("1", "1Gi"))

	pod := s.expectRunningOn("judged", heata.name)
	record := s.record("judged")
	assert.Equal(t, "heata", record.Target)
	assert.Equal(t, pod.Spec.NodeName, record.Node)
	assert.Equal(t, v1alpha1.ModeAny, record.Mode)
	assert.Equal(t, s.name+"/"+policy.Name, record.Policy)
	assert.WithinDuration(t, pod.CreationTimestamp.Time, record.At.Time, soon)
	places := map[string]placement.RecordPlace{}
	for _, place := range record.Places {
		places[place.Name] = place
	}
	require.Subset(t, keys(places), []string{"heata", "cloud", "local"})
	for name, want := range map[string]struct{ cost, grams string }{
		"heata": {"0.023", "120"}, "cloud": {"0.051", "350"}, "local": {"0.034", "180"},
	} {
		place := places[name]
		assert.True(t, place.Feasible, "%s: %s", name, place.Reason)
		assert.Equal(t, want.cost, place.CostPerHour, name)
		assert.Equal(t, "GBP", place.Currency, name)
		assert.Equal(t, want.grams, place.GramsPerKWh, name)
		assert.NotEmpty(t, place.GramsPerHour, name)
	}
	assert.Equal(t, record.Places[0].Name, "heata", "the winner comes first")
	assert.Greater(t, places["heata"].Scores.Total, places["local"].Scores.Total)
	assert.Greater(t, places["local"].Scores.Total, places["cloud"].Scores.Total)
}

func keys[V any](m map[string]V) []string {
	var all []string
	for key := range m {
		all = append(all, key)
	}
	return all
}
