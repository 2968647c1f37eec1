package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// A core in heata costs 20m. Spare's price is first a little, then much below it, and then a little above.
func TestReplicasStayForTwoPercentAndMoveForTwenty(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	target := s.givenSpare(priced("30m", "120"))
	s.givenPolicy(v1alpha1.PlacementPolicySpec{
		Mode: v1alpha1.ModeRemoteOnly, Weights: byCost, TargetSelector: targetsNamed(heata.name, target.Name),
	})
	s.createDeployment("web", 2, requesting("1", ""))
	s.expectSpreadAs(2, map[string]int{heata.name: 2})

	for _, test := range []struct {
		price    string
		replicas int32
		want     map[string]int
	}{
		{"19600u", 4, map[string]int{heata.name: 4}},                 // 2 % cheaper: they stay
		{"16m", 6, map[string]int{heata.name: 4, target.Name: 2}},    // 20 % cheaper: the next ones go there
		{"20400u", 8, map[string]int{heata.name: 4, target.Name: 4}}, // 2 % dearer: they stay there
		{"25m", 10, map[string]int{heata.name: 6, target.Name: 4}},   // 25 % dearer: back
	} {
		s.changeTarget(target, priced(test.price, "120"))

		s.scale("web", test.replicas)

		s.expectSpreadAs(int(test.replicas), test.want)
	}
}

func TestAReplicaThatStaysSaysSoInItsRecord(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	target := s.givenSpare(priced("30m", "120"))
	s.givenPolicy(v1alpha1.PlacementPolicySpec{
		Mode: v1alpha1.ModeRemoteOnly, Weights: byCost, TargetSelector: targetsNamed(heata.name, target.Name),
	})
	s.createDeployment("web", 1, requesting("1", ""))
	first := s.expectAllRunning(1)[0]
	s.changeTarget(target, priced("19600u", "120"))

	s.scale("web", 2)

	for _, pod := range s.expectAllRunning(2) {
		place := s.record(pod.Name).Places[0]
		assert.Equal(t, heata.name, place.Name)
		assert.Equal(t, pod.UID != first.UID, place.Sticky, describe(&pod))
	}
}

// expectSpreadAs waits until n pods run, so many in each target.
func (s *space) expectSpreadAs(n int, want map[string]int) {
	s.t.Helper()
	got := map[string]int{}
	for _, pod := range s.expectAllRunning(n) {
		for target := range want {
			if onTarget(&pod, target) {
				got[target]++
			}
		}
	}
	assert.Equal(s.t, want, got)
}
