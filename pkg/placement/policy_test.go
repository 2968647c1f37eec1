package placement_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

func TestTheBuiltInPolicyIsTheBurst(t *testing.T) {
	policy := placement.BuiltIn()
	assert.Equal(t, v1alpha1.ModeLocalFirst, policy.Mode)
	assert.Equal(t, v1alpha1.Weights{Cost: 1, Carbon: 1, Capacity: 1}, policy.Weights)
	assert.Equal(t, int32(5), policy.TolerancePercent)
	assert.Equal(t, v1alpha1.UnknownWorst, policy.UnknownSignals)
	assert.Equal(t, v1alpha1.PreemptAfterBurst, policy.Preemption)
	assert.True(t, policy.PodSelector.Matches(labels.Set{"any": "pod"}), "absent selectors select everything")
	assert.True(t, policy.TargetSelector.Matches(nil), "absent selectors select everything")
	assert.Empty(t, policy.Admit(placement.Place{}), "without limits, what is unknown does not matter")
}

func TestCompileKeepsWhatIsDeclared(t *testing.T) {
	policy := compile(t, v1alpha1.PlacementPolicySpec{
		Mode:             v1alpha1.ModeAny,
		Weights:          &v1alpha1.Weights{Carbon: 7},
		TolerancePercent: new(int32),
		PodSelector:      matching("app", "batch"),
		Overflow:         []v1alpha1.OverflowTier{{TargetSelector: *matching("tier", "one")}},
		Limits:           &v1alpha1.Limits{PricePerHour: quantity("100m"), Currency: "GBP", GramsPerKWh: quantity("200")},
	})
	assert.Equal(t, "test", policy.Name)
	assert.Equal(t, v1alpha1.ModeAny, policy.Mode)
	assert.Equal(t, v1alpha1.Weights{Carbon: 7}, policy.Weights)
	assert.Zero(t, policy.TolerancePercent, "a declared zero is no absence")
	assert.False(t, policy.PodSelector.Matches(labels.Set{"app": "web"}))
	assert.True(t, policy.Overflow[0].Matches(labels.Set{"tier": "one"}))
	assert.Equal(t, placement.Limits{PricePerHour: new(0.1), Currency: "GBP", GramsPerKWh: new(200.0)}, policy.Limits)
}

func TestCompileRefusesNonsense(t *testing.T) {
	bad := metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "region", Operator: "Near"}}}
	tests := map[string]struct {
		spec    v1alpha1.PlacementPolicySpec
		want    placement.InvalidPolicyReason
		message string
	}{
		"an unknown mode": {
			spec: v1alpha1.PlacementPolicySpec{Mode: "Cheapest"},
			want: placement.ReasonUnknownMode, message: `spec.mode "Cheapest"`},
		"weights that are all zero": {
			spec: v1alpha1.PlacementPolicySpec{Weights: &v1alpha1.Weights{}},
			want: placement.ReasonInvalidWeights, message: "spec.weights are all zero"},
		"a negative weight beside a positive one": {
			spec: v1alpha1.PlacementPolicySpec{Weights: &v1alpha1.Weights{Cost: 2, Carbon: -1}},
			want: placement.ReasonInvalidWeights, message: "negative weight"},
		"a price limit without a currency": {
			spec: v1alpha1.PlacementPolicySpec{Limits: &v1alpha1.Limits{PricePerHour: quantity("1")}},
			want: placement.ReasonInvalidLimit, message: "only one of pricePerHour and currency"},
		"a currency without a price limit": {
			spec: v1alpha1.PlacementPolicySpec{Limits: &v1alpha1.Limits{Currency: "GBP"}},
			want: placement.ReasonInvalidLimit, message: "only one of pricePerHour and currency"},
		"a negative limit": {
			spec: v1alpha1.PlacementPolicySpec{Limits: &v1alpha1.Limits{GramsPerHour: quantity("-5")}},
			want: placement.ReasonInvalidLimit, message: "negative limit -5"},
		"a tolerance of more than all": {
			spec: v1alpha1.PlacementPolicySpec{TolerancePercent: new(int32(101))},
			want: placement.ReasonInvalidTolerance, message: "101"},
		"a negative tolerance": {
			spec: v1alpha1.PlacementPolicySpec{TolerancePercent: new(int32(-1))},
			want: placement.ReasonInvalidTolerance, message: "-1"},
		"an unknown word for unknown signals": {
			spec: v1alpha1.PlacementPolicySpec{UnknownSignals: "Guess"},
			want: placement.ReasonInvalidUnknownSignals, message: `spec.unknownSignals "Guess"`},
		"an unknown order of preemption": {
			spec: v1alpha1.PlacementPolicySpec{Preemption: "Always"},
			want: placement.ReasonInvalidPreemption, message: `spec.preemption "Always"`},
		"preemption before bursting where local nodes do not come first": {
			spec: v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeAny, Preemption: v1alpha1.PreemptBeforeBurst},
			want: placement.ReasonInvalidPreemption, message: "spec.mode Any, which does not put local nodes first"},
		"preemption before bursting where local nodes do not count": {
			spec: v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeRemoteOnly, Preemption: v1alpha1.PreemptBeforeBurst},
			want: placement.ReasonInvalidPreemption, message: "spec.mode RemoteOnly"},
		"a pod selector with an unknown operator": {
			spec: v1alpha1.PlacementPolicySpec{PodSelector: &bad},
			want: placement.ReasonInvalidSelector, message: "spec.podSelector"},
		"a target selector with an unknown operator": {
			spec: v1alpha1.PlacementPolicySpec{TargetSelector: &bad},
			want: placement.ReasonInvalidSelector, message: "spec.targetSelector"},
		"an overflow tier with an unknown operator": {
			spec: v1alpha1.PlacementPolicySpec{Overflow: []v1alpha1.OverflowTier{{}, {TargetSelector: bad}}},
			want: placement.ReasonInvalidSelector, message: "spec.overflow[1].targetSelector"},
		"more tiers than totals can tell apart": {
			spec: v1alpha1.PlacementPolicySpec{Overflow: make([]v1alpha1.OverflowTier, 17)},
			want: placement.ReasonTooManyTiers, message: "17 tiers"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := placement.Compile("night", test.spec)
			var invalid *placement.InvalidPolicyError
			require.ErrorAs(t, err, &invalid)
			assert.Equal(t, test.want, invalid.Reason)
			assert.Contains(t, err.Error(), `policy "night"`)
			assert.Contains(t, err.Error(), test.message)
			assert.NotEmpty(t, invalid.Remedy)
		})
	}
}

func TestIsInvalidPolicy(t *testing.T) {
	invalid := &placement.InvalidPolicyError{}
	assert.True(t, placement.IsInvalidPolicy(fmt.Errorf("loading: %w", invalid)))
	assert.False(t, placement.IsInvalidPolicy(errors.New("another")))
}
