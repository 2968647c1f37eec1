package placement

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

const (
	defaultTolerancePercent = 5
	// maxOverflow keeps enough of the hundred steps of Score.Total for each tier.
	maxOverflow = 16
)

// Policy is a compiled PlacementPolicySpec: defaults filled in, selectors parsed, bounds checked.
type Policy struct {
	Name    string
	Mode    v1alpha1.PlacementMode
	Weights v1alpha1.Weights
	Limits  Limits
	// TolerancePercent is the difference from the best cost or carbon up to which a place counts as the best.
	TolerancePercent int32
	UnknownSignals   v1alpha1.UnknownSignals
	Preemption       v1alpha1.PreemptionOrder
	TargetSelector   labels.Selector
	Overflow         []labels.Selector
	PodSelector      labels.Selector
}

// Limits are a policy's hard bounds; nil is no bound.
type Limits struct {
	PricePerHour *float64 // in Currency
	Currency     string
	GramsPerHour *float64
	GramsPerKWh  *float64
}

// BuiltIn is the policy where nobody wrote one: local nodes first, then the best target, everything weighing the same.
func BuiltIn() *Policy {
	policy, err := Compile("built-in", v1alpha1.PlacementPolicySpec{})
	if err != nil {
		panic(fmt.Sprintf("compiling the built-in policy: %v", err)) // the empty spec is valid, and a test holds that
	}
	return policy
}

// Compile makes a spec ready for use. Its error is an *InvalidPolicyError. The API server refuses the same specs; this
// is for those that did not pass through it, such as a file given to the CLI.
func Compile(name string, spec v1alpha1.PlacementPolicySpec) (*Policy, error) {
	p := &Policy{Name: name}
	for _, step := range []func(v1alpha1.PlacementPolicySpec) *InvalidPolicyError{
		p.compileMode,
		p.compileWeights,
		p.compileLimits,
		p.compileTolerance,
		p.compileUnknownSignals,
		p.compilePreemption,
		p.compileSelectors,
	} {
		if invalid := step(spec); invalid != nil {
			invalid.Policy = name
			return nil, invalid
		}
	}
	return p, nil
}

func (p *Policy) compileMode(spec v1alpha1.PlacementPolicySpec) *InvalidPolicyError {
	switch spec.Mode {
	case "":
		p.Mode = v1alpha1.ModeLocalFirst
	case v1alpha1.ModeLocalFirst, v1alpha1.ModeAny, v1alpha1.ModeRemoteOnly:
		p.Mode = spec.Mode
	default:
		return &InvalidPolicyError{Reason: ReasonUnknownMode, Message: fmt.Sprintf("spec.mode %q is not known", spec.Mode),
			Remedy: "use LocalFirst, Any or RemoteOnly"}
	}
	return nil
}

func (p *Policy) compileWeights(spec v1alpha1.PlacementPolicySpec) *InvalidPolicyError {
	p.Weights = v1alpha1.Weights{Cost: 1, Carbon: 1, Capacity: 1}
	if spec.Weights != nil {
		p.Weights = *spec.Weights
	}
	w := p.Weights
	if min(w.Cost, w.Carbon, w.Capacity) < 0 {
		return &InvalidPolicyError{Reason: ReasonInvalidWeights, Message: "spec.weights has a negative weight",
			Remedy: "use 0 for what does not matter"}
	}
	if max(w.Cost, w.Carbon, w.Capacity) == 0 {
		return &InvalidPolicyError{Reason: ReasonInvalidWeights,
			Message: "spec.weights are all zero, so no place is better than another",
			Remedy:  "make at least one of cost, carbon and capacity positive"}
	}
	return nil
}

func (p *Policy) compileLimits(spec v1alpha1.PlacementPolicySpec) *InvalidPolicyError {
	if spec.Limits == nil {
		return nil
	}
	l := spec.Limits
	if (l.PricePerHour == nil) != (l.Currency == "") {
		return &InvalidPolicyError{Reason: ReasonInvalidLimit,
			Message: "spec.limits has only one of pricePerHour and currency",
			Remedy:  "set both, because prices in different currencies are not compared"}
	}
	for _, bound := range []*resource.Quantity{l.PricePerHour, l.GramsPerHour, l.GramsPerKWh} {
		if bound != nil && bound.Sign() < 0 {
			return &InvalidPolicyError{Reason: ReasonInvalidLimit,
				Message: fmt.Sprintf("spec.limits has the negative limit %s", bound), Remedy: "use 0 or more"}
		}
	}
	p.Limits = Limits{
		PricePerHour: bound(l.PricePerHour), Currency: l.Currency,
		GramsPerHour: bound(l.GramsPerHour), GramsPerKWh: bound(l.GramsPerKWh),
	}
	return nil
}

func (p *Policy) compileTolerance(spec v1alpha1.PlacementPolicySpec) *InvalidPolicyError {
	p.TolerancePercent = defaultTolerancePercent
	if spec.TolerancePercent != nil {
		p.TolerancePercent = *spec.TolerancePercent
	}
	if p.TolerancePercent < 0 || p.TolerancePercent > 100 {
		return &InvalidPolicyError{Reason: ReasonInvalidTolerance,
			Message: fmt.Sprintf("spec.tolerancePercent is %d", p.TolerancePercent), Remedy: "use 0 to 100"}
	}
	return nil
}

func (p *Policy) compileUnknownSignals(spec v1alpha1.PlacementPolicySpec) *InvalidPolicyError {
	switch spec.UnknownSignals {
	case "":
		p.UnknownSignals = v1alpha1.UnknownWorst
	case v1alpha1.UnknownWorst, v1alpha1.UnknownExclude:
		p.UnknownSignals = spec.UnknownSignals
	default:
		return &InvalidPolicyError{Reason: ReasonInvalidUnknownSignals,
			Message: fmt.Sprintf("spec.unknownSignals %q is not known", spec.UnknownSignals), Remedy: "use Worst or Exclude"}
	}
	return nil
}

func (p *Policy) compilePreemption(spec v1alpha1.PlacementPolicySpec) *InvalidPolicyError {
	switch spec.Preemption {
	case "":
		p.Preemption = v1alpha1.PreemptAfterBurst
	case v1alpha1.PreemptAfterBurst, v1alpha1.PreemptBeforeBurst:
		p.Preemption = spec.Preemption
	default:
		return &InvalidPolicyError{Reason: ReasonInvalidPreemption,
			Message: fmt.Sprintf("spec.preemption %q is not known", spec.Preemption), Remedy: "use AfterBurst or BeforeBurst"}
	}
	if p.Preemption == v1alpha1.PreemptBeforeBurst && p.Mode != v1alpha1.ModeLocalFirst {
		return &InvalidPolicyError{Reason: ReasonInvalidPreemption,
			Message: fmt.Sprintf("spec.preemption is BeforeBurst and spec.mode %s, which does not put local nodes first", p.Mode),
			Remedy:  "use mode LocalFirst, or preemption AfterBurst"}
	}
	return nil
}

func (p *Policy) compileSelectors(spec v1alpha1.PlacementPolicySpec) (invalid *InvalidPolicyError) {
	if len(spec.Overflow) > maxOverflow {
		return &InvalidPolicyError{Reason: ReasonTooManyTiers,
			Message: fmt.Sprintf("spec.overflow has %d tiers", len(spec.Overflow)),
			Remedy:  fmt.Sprintf("use at most %d; targets in no tier come last without one", maxOverflow)}
	}
	if p.PodSelector, invalid = selector("spec.podSelector", spec.PodSelector); invalid != nil {
		return invalid
	}
	if p.TargetSelector, invalid = selector("spec.targetSelector", spec.TargetSelector); invalid != nil {
		return invalid
	}
	p.Overflow = make([]labels.Selector, len(spec.Overflow))
	for i := range spec.Overflow {
		field := fmt.Sprintf("spec.overflow[%d].targetSelector", i)
		if p.Overflow[i], invalid = selector(field, &spec.Overflow[i].TargetSelector); invalid != nil {
			return invalid
		}
	}
	return nil
}

// selector parses a label selector; nil selects everything, unlike in metav1, where it selects nothing.
func selector(field string, s *metav1.LabelSelector) (labels.Selector, *InvalidPolicyError) {
	if s == nil {
		return labels.Everything(), nil
	}
	parsed, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return nil, &InvalidPolicyError{Reason: ReasonInvalidSelector,
			Message: fmt.Sprintf("%s cannot be parsed (%v)", field, err),
			Remedy:  "write it as Kubernetes label selectors are, with matchLabels or matchExpressions"}
	}
	return parsed, nil
}

func bound(q *resource.Quantity) *float64 {
	if q == nil {
		return nil
	}
	value := q.AsApproximateFloat64()
	return &value
}
