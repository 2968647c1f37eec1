package e2e

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestAPlaceOverALimitIsNotUsedAndSaysWhichNumberIsOverWhichBound(t *testing.T) {
	t.Parallel()
	limit := func(text string) *resource.Quantity { q := resource.MustParse(text); return &q }
	tests := map[string]struct {
		spec v1alpha1.PlacementPolicySpec
		want []string
	}{
		"a price per hour": {
			v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeAny, Limits: &v1alpha1.Limits{PricePerHour: limit("10m"), Currency: "GBP"}},
			[]string{"heata: price 0.023 GBP/h over the policy's limit 0.01", "cloud: price 0.051 GBP/h over the policy's limit 0.01", "local: price 0.034 GBP/h"},
		},
		"a price in a currency that nobody has": {
			v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeRemoteOnly, Limits: &v1alpha1.Limits{PricePerHour: limit("10"), Currency: "EUR"}},
			[]string{"price in GBP, the policy's limit is in EUR", "local: policy admits remote places only"},
		},
		"grams per kWh": {
			v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeAny, Limits: &v1alpha1.Limits{GramsPerKWh: limit("100")}},
			[]string{"heata: carbon intensity 120 gCO2e/kWh over the policy's limit 100", "cloud: carbon intensity 350 gCO2e/kWh"},
		},
		"grams per hour": {
			v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeAny, Limits: &v1alpha1.Limits{GramsPerHour: limit("1m")}},
			[]string{"heata: emissions ", "cloud: emissions ", "gCO2e/h over the policy's limit 0.001"},
		},
		"a selector of targets": {
			v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeRemoteOnly, TargetSelector: targetsNamed("moon")},
			[]string{"target is not selected by the policy's targetSelector spillway.dev/target in (moon)"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := givenNamespace(t, source, burst)
			s.givenPolicy(test.spec)

			s.createElected("bounded", requesting("1", "1Gi"))

			s.expectUnschedulable("bounded", test.want...)
		})
	}
}

func TestALimitThatOnlyOnePlaceKeepsSendsThePodThere(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	q := resource.MustParse("150")
	s.givenPolicy(v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeLocalFirst, Limits: &v1alpha1.Limits{GramsPerKWh: &q}})

	s.createElected("green", requesting("1", "1Gi"))

	s.expectRunningOn("green", heata.name)
}

func TestAPodThatWaitsForItsPolicyRunsWhenThePolicyIsChanged(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.createElected("waits", annotated(v1alpha1.AnnotationPolicy, "to-come"))
	s.expectUnschedulable("waits", "PlacementPolicy "+s.name+"/to-come", "does not exist: create it or correct the annotation")

	policy := &v1alpha1.PlacementPolicy{Spec: remoteOnly(cloud.name)}
	policy.Namespace, policy.Name = s.name, "to-come"
	if err := s.client.Create(t.Context(), policy); err != nil {
		t.Fatal(err)
	}

	s.expectRunningOn("waits", cloud.name)
}
