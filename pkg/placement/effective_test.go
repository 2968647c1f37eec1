package placement_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

func TestEffectOn(t *testing.T) {
	// An empty pod costs nothing and emits nothing; what is known of a place is its currency and its electricity.
	at := func(name, currency string, gramsPerKWh float64) placement.Place {
		p := priced(place(name, 0, 0, 0), currency)
		p.Estimate.GramsPerKWh = &gramsPerKWh
		return labelled(p, "region", name)
	}
	here, heata, cloud := local(at("local", "GBP", 180)), at("heata", "GBP", 120), at("cloud", "GBP", 350)
	all := []placement.Place{here, heata, cloud}
	clean := func(grams string) *v1alpha1.Limits { return &v1alpha1.Limits{GramsPerKWh: quantity(grams)} }
	tests := map[string]struct {
		policy     v1alpha1.PlacementPolicySpec
		places     []placement.Place
		want       bool
		wantReason placement.EffectiveReason
		wantText   string
	}{
		"without bounds every target may take pods": {
			places: all, want: true, wantReason: "TargetsMatch", wantText: "2 of 2 targets may take its pods; local nodes take its pods"},
		"one target that remains is enough": {
			policy: v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeRemoteOnly, Limits: clean("150")}, places: all,
			want: true, wantReason: "TargetsMatch", wantText: "1 of 2 targets may take its pods; local nodes do not: policy admits remote places only"},
		"before any target has joined, local nodes take pods": {
			places: []placement.Place{here}, want: true, wantReason: "NoTargets",
			wantText: "there is no target: join one (spillway join); local nodes take its pods"},
		"remote only without any target takes nothing": {
			policy: v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeRemoteOnly}, places: []placement.Place{here},
			wantReason: "NoTargets", wantText: "there is no target, and mode RemoteOnly admits nothing else: join one (spillway join)"},
		"a limit that not even local nodes keep, and no target": {
			policy: v1alpha1.PlacementPolicySpec{Limits: clean("100")}, places: []placement.Place{here}, wantReason: "NoTargets",
			wantText: "there is no target: join one (spillway join); local nodes do not: carbon intensity 180 gCO2e/kWh over the policy's limit 100"},
		"a selector that selects no target": {
			policy: v1alpha1.PlacementPolicySpec{TargetSelector: matching("region", "moon")}, places: all, wantReason: "NoTargetMatches",
			wantText: "targetSelector region=moon selects none of 2 targets: correct it, or the labels of the Targets (spec.labels); local nodes take its pods"},
		"a selected target that the limits exclude is told by the limits": {
			policy: v1alpha1.PlacementPolicySpec{TargetSelector: matching("region", "cloud"), Limits: clean("200")}, places: all, wantReason: "LimitsExcludeAll",
			wantText: "each of 2 targets is refused, whatever a pod asks for: cloud: carbon intensity 350 gCO2e/kWh over the policy's limit 200; " +
				"heata: target is not selected by the policy's targetSelector region=cloud; local nodes take its pods"},
		"a limit in a currency that nobody has": {
			policy: v1alpha1.PlacementPolicySpec{Limits: &v1alpha1.Limits{PricePerHour: quantity("1"), Currency: "EUR"}}, places: all, wantReason: "LimitsExcludeAll",
			wantText: "each of 2 targets is refused, whatever a pod asks for: cloud, heata: price in GBP, the policy's limit is in EUR: prices are not converted; " +
				"local nodes do not: price in GBP, the policy's limit is in EUR: prices are not converted"},
		"a limit on a price that depends on the pod is not judged here": {
			policy: v1alpha1.PlacementPolicySpec{Limits: &v1alpha1.Limits{PricePerHour: quantity("1n"), Currency: "GBP"}}, places: all,
			want: true, wantReason: "TargetsMatch", wantText: "2 of 2 targets may take its pods; local nodes take its pods"},
		"unknown signals that the policy excludes": {
			policy: v1alpha1.PlacementPolicySpec{UnknownSignals: v1alpha1.UnknownExclude}, places: []placement.Place{here, unpriced(heata)}, wantReason: "LimitsExcludeAll",
			wantText: "each of 1 targets is refused, whatever a pod asks for: heata: price unknown, and the policy excludes what is unknown: give the Target a price; local nodes take its pods"},
		"many targets of one reason are counted": {
			policy: v1alpha1.PlacementPolicySpec{Limits: clean("100")}, places: many(cloud, 8), wantReason: "LimitsExcludeAll",
			wantText: "each of 8 targets is refused, whatever a pod asks for: cloud-0, cloud-1, cloud-2, cloud-3, cloud-4, 3 more: " +
				"carbon intensity 350 gCO2e/kWh over the policy's limit 100; local nodes take its pods"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := compile(t, test.policy).EffectOn(test.places)
			assert.Equal(t, placement.Effect{OK: test.want, Reason: test.wantReason, Message: test.wantText}, got)
		})
	}
}

func TestAnEffectsMessageIsBounded(t *testing.T) {
	policy := compile(t, v1alpha1.PlacementPolicySpec{Limits: &v1alpha1.Limits{GramsPerKWh: quantity("1")}})
	places := many(place(strings.Repeat("long", 60), 0, 0, 0), 1000)
	for i := range places {
		places[i].Estimate.GramsPerKWh = new(float64(100 + i))
	}
	got := policy.EffectOn(places)
	assert.False(t, got.OK)
	assert.Contains(t, got.Message, "995 more reasons")
	assert.Contains(t, got.Message, "local nodes take its pods")
	assert.Less(t, len(got.Message), 4000)
}

func many(like placement.Place, n int) []placement.Place {
	places := make([]placement.Place, n)
	for i := range places {
		places[i] = like
		places[i].Name = fmt.Sprintf("%s-%d", like.Name, i)
	}
	return places
}
