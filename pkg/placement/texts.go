package placement

import (
	"errors"
	"fmt"
)

// Why Admit refuses a place. Each names the number and the bound, so that a person sees which of the two to change.
const (
	refusedLocal         = "policy admits remote places only"
	refusedTarget        = "target is not selected by the policy's targetSelector %s"
	refusedPriceUnknown  = "price unknown, and the policy limits it: %s"
	excludedPrice        = "price unknown, and the policy excludes what is unknown: %s"
	refusedCurrency      = "price in %s, the policy's limit is in %s: prices are not converted"
	refusedPrice         = "price %s %s/h over the policy's limit %s"
	refusedCarbonUnknown = "carbon intensity unknown, and the policy limits it: %s"
	excludedCarbon       = "carbon intensity unknown, and the policy excludes what is unknown: %s"
	refusedGrams         = "emissions %s gCO2e/h over the policy's limit %s"
	refusedIntensity     = "carbon intensity %s gCO2e/kWh over the policy's limit %s"
)

// What to do about a signal that nobody declared.
const (
	givePrice      = "give the Target a price"
	giveCarbon     = "give the Target carbon"
	describeLocal  = "describe the local nodes by a Target with self: true and %s"
	describePrice  = "a price"
	describeCarbon = "carbon"
)

// What an Effect says; the last %s of each is about local nodes.
const (
	effectMatches   = "%d of %d targets may take its pods; %s"
	effectNoTargets = "there is no target: join one (spillway join); %s"
	effectNowhere   = "there is no target, and mode RemoteOnly admits nothing else: join one (spillway join)"
	effectNoMatch   = "targetSelector %s selects none of %d targets: correct it, or the labels of the Targets (spec.labels); %s"
	effectExcluded  = "each of %d targets is refused, whatever a pod asks for: %s; %s"
	localTakes      = "local nodes take its pods"
	localRefuses    = "local nodes do not: %s"
)

// What Decode says of an annotation that is no Record.
const (
	badRecord   = "annotation %s is not a placement record, so it was changed after the pod was bound: %w"
	emptyRecord = "annotation %s is not a placement record: it lists no places"
)

// InvalidPolicyReason says, as a condition's reason, why a policy cannot be used.
type InvalidPolicyReason string

// The reasons of an InvalidPolicyError.
const (
	ReasonUnknownMode      InvalidPolicyReason = "UnknownMode"
	ReasonInvalidSelector  InvalidPolicyReason = "InvalidSelector"
	ReasonInvalidWeights   InvalidPolicyReason = "InvalidWeights"
	ReasonInvalidLimit     InvalidPolicyReason = "InvalidLimit"
	ReasonInvalidTolerance InvalidPolicyReason = "InvalidTolerance"
	ReasonTooManyTiers     InvalidPolicyReason = "TooManyTiers"

	ReasonInvalidUnknownSignals InvalidPolicyReason = "InvalidUnknownSignals"
	ReasonInvalidPreemption     InvalidPolicyReason = "InvalidPreemption"
)

// InvalidPolicyError is a policy that cannot be used: its author has to change it.
type InvalidPolicyError struct {
	Policy  string
	Reason  InvalidPolicyReason
	Message string // what is wrong, with the field's path
	Remedy  string // what to write instead
}

// Error names the policy, what is wrong and the remedy.
func (e *InvalidPolicyError) Error() string {
	return fmt.Sprintf("policy %q: %s: %s", e.Policy, e.Message, e.Remedy)
}

// IsInvalidPolicy says whether an error is, or wraps, an InvalidPolicyError.
func IsInvalidPolicy(err error) bool {
	var invalid *InvalidPolicyError
	return errors.As(err, &invalid)
}
