package placement_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

func TestAdmit(t *testing.T) {
	tenPence := v1alpha1.PlacementPolicySpec{Limits: &v1alpha1.Limits{PricePerHour: quantity("100m"), Currency: "GBP"}}
	sixtyGrams := v1alpha1.PlacementPolicySpec{Limits: &v1alpha1.Limits{GramsPerHour: quantity("60")}}
	clean := v1alpha1.PlacementPolicySpec{Limits: &v1alpha1.Limits{GramsPerKWh: quantity("100")}}
	uk := v1alpha1.PlacementPolicySpec{TargetSelector: matching("region", "uk")}
	tests := map[string]struct {
		policy v1alpha1.PlacementPolicySpec
		place  placement.Place
		want   string
	}{
		"a place below the price limit is admitted": {policy: tenPence, place: place("x", 0.09, 0, 1)},
		"a place exactly at the price limit is admitted, whatever the noise of its sum": {
			policy: v1alpha1.PlacementPolicySpec{Limits: &v1alpha1.Limits{PricePerHour: quantity("300m"), Currency: "GBP"}},
			place:  place("x", noisy(0.1, 0.2), 0, 1)},
		"a place over the price limit is refused with both numbers": {
			policy: tenPence, place: place("x", 0.14, 0, 1), want: "price 0.14 GBP/h over the policy's limit 0.1"},
		"a price in another currency is refused, not converted": {
			policy: tenPence, place: priced(place("x", 0.01, 0, 1), "EUR"),
			want: "price in EUR, the policy's limit is in GBP: prices are not converted"},
		"an unknown price does not pass a price limit": {
			policy: tenPence, place: unpriced(place("x", 0, 0, 1)), want: "price unknown, and the policy limits it: give the Target a price"},
		"local nodes are under the limits, too": {
			policy: tenPence, place: local(unpriced(place("x", 0, 0, 1))),
			want: "price unknown, and the policy limits it: describe the local nodes by a Target with self: true and a price"},
		"a place over the limit of emissions is refused": {
			policy: sixtyGrams, place: place("x", 0, 61.234, 1), want: "emissions 61.23 gCO2e/h over the policy's limit 60"},
		"unknown emissions do not pass a limit of emissions": {
			policy: sixtyGrams, place: placement.Place{}, want: "carbon intensity unknown, and the policy limits it: give the Target carbon"},
		"a signal that is stale says why it is unknown and what to do": {
			policy: sixtyGrams, place: placement.Place{Estimate: placement.Estimate{CarbonProblem: "ConfigMap a/b is stale: renew it"}},
			want: "carbon intensity unknown, and the policy limits it: ConfigMap a/b is stale: renew it"},
		"a place whose electricity is too dirty is refused, however little the pod uses": {
			policy: clean, place: placement.Place{Estimate: placement.Estimate{GramsPerKWh: new(250.0)}},
			want: "carbon intensity 250 gCO2e/kWh over the policy's limit 100"},
		"a limit of zero admits zero": {
			policy: v1alpha1.PlacementPolicySpec{Limits: &v1alpha1.Limits{GramsPerHour: quantity("0")}},
			place:  place("x", 1, 0, 1)},
		"a target that is selected is admitted": {policy: uk, place: labelled(place("x", 1, 1, 1), "region", "uk")},
		"a target that is not selected is refused with the selector": {
			policy: uk, place: labelled(place("x", 1, 1, 1), "region", "us"),
			want: "target is not selected by the policy's targetSelector region=uk"},
		"a target selector does not concern local nodes": {policy: uk, place: local(place("x", 1, 1, 1))},
		"a policy for remote places refuses local nodes": {
			policy: v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeRemoteOnly}, place: local(place("x", 1, 1, 1)),
			want: "policy admits remote places only"},
		"a policy for any place admits local nodes": {
			policy: v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeAny}, place: local(place("x", 1, 1, 1))},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, compile(t, test.policy).Admit(test.place))
		})
	}
}

func TestAdmitWithUnknownSignals(t *testing.T) {
	excluding := func(w v1alpha1.Weights) v1alpha1.PlacementPolicySpec {
		return v1alpha1.PlacementPolicySpec{UnknownSignals: v1alpha1.UnknownExclude, Weights: &w}
	}
	cost, carbon := v1alpha1.Weights{Cost: 1}, v1alpha1.Weights{Carbon: 1}
	dark := place("x", 1, 1, 1)
	dark.Estimate.GramsPerHour = nil
	stale := unpriced(place("x", 0, 1, 1))
	stale.Estimate.PriceProblem = "ConfigMap a/b is stale: renew it"
	tests := map[string]struct {
		policy v1alpha1.PlacementPolicySpec
		place  placement.Place
		want   string
	}{
		"by default an unknown price excludes nothing": {
			policy: v1alpha1.PlacementPolicySpec{Weights: &cost}, place: unpriced(place("x", 0, 1, 1))},
		"Worst excludes nothing either": {
			policy: v1alpha1.PlacementPolicySpec{Weights: &cost, UnknownSignals: v1alpha1.UnknownWorst}, place: stale},
		"an unknown price is excluded where the price weighs something": {
			policy: excluding(cost), place: unpriced(place("x", 0, 1, 1)),
			want: "price unknown, and the policy excludes what is unknown: give the Target a price"},
		"a stale price says so": {
			policy: excluding(cost), place: stale,
			want: "price unknown, and the policy excludes what is unknown: ConfigMap a/b is stale: renew it"},
		"an unknown price that weighs nothing decides nothing": {policy: excluding(carbon), place: stale},
		"unknown carbon is excluded where carbon weighs something": {
			policy: excluding(carbon), place: dark,
			want: "carbon intensity unknown, and the policy excludes what is unknown: give the Target carbon"},
		"unknown carbon that weighs nothing decides nothing": {policy: excluding(cost), place: dark},
		"local nodes are no exception": {
			policy: excluding(cost), place: local(unpriced(place("x", 0, 1, 1))),
			want: "price unknown, and the policy excludes what is unknown: describe the local nodes by a Target with self: true and a price"},
		"what is known is admitted":   {policy: excluding(v1alpha1.Weights{Cost: 1, Carbon: 1}), place: place("x", 1, 1, 1)},
		"nothing is known to be free": {policy: excluding(cost), place: place("x", 0, 1, 1)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, compile(t, test.policy).Admit(test.place))
		})
	}
}
