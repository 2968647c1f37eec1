package placement

import (
	"fmt"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// noise is the relative difference up to which two floats are the same number: 0.1+0.2 is not over a limit of 0.3.
const noise = 1e-9

// Admit says whether a place may be used at all; the reason is empty where it may, and otherwise names the first bound
// that forbids it. What is limited must be known: a limit that an unknown price could pass would be none.
func (p *Policy) Admit(place Place) (reason string) {
	for _, check := range []func(Place) string{
		p.checkMode,
		p.checkTarget,
		p.checkKnown,
		p.checkPrice,
		p.checkGrams,
		p.checkIntensity,
	} {
		if reason := check(place); reason != "" {
			return reason
		}
	}
	return ""
}

func (p *Policy) checkMode(place Place) string {
	if place.Local && p.Mode == v1alpha1.ModeRemoteOnly {
		return refusedLocal
	}
	return ""
}

// checkTarget leaves local places alone: the selector is of targets, and whether to stay local is the mode's business.
func (p *Policy) checkTarget(place Place) string {
	if !place.Local && !p.TargetSelector.Matches(place.Labels) {
		return fmt.Sprintf(refusedTarget, p.TargetSelector)
	}
	return ""
}

// checkKnown concerns the signals that weigh something; the others decide nothing.
func (p *Policy) checkKnown(place Place) string {
	switch estimate := place.Estimate; {
	case p.UnknownSignals != v1alpha1.UnknownExclude:
		return ""
	case p.Weights.Cost > 0 && estimate.CostPerHour == nil:
		return fmt.Sprintf(excludedPrice, whyNoPrice(place))
	case p.Weights.Carbon > 0 && estimate.GramsPerHour == nil:
		return fmt.Sprintf(excludedCarbon, whyNoCarbon(place))
	}
	return ""
}

func (p *Policy) checkPrice(place Place) string {
	limit, cost := p.Limits.PricePerHour, place.Estimate.CostPerHour
	switch {
	case limit == nil:
		return ""
	case cost == nil:
		return fmt.Sprintf(refusedPriceUnknown, whyNoPrice(place))
	case place.Estimate.Currency != p.Limits.Currency:
		return fmt.Sprintf(refusedCurrency, place.Estimate.Currency, p.Limits.Currency)
	case over(*cost, *limit):
		return fmt.Sprintf(refusedPrice, Decimal(*cost), place.Estimate.Currency, Decimal(*limit))
	}
	return ""
}

func (p *Policy) checkGrams(place Place) string {
	return checkCarbon(place, place.Estimate.GramsPerHour, p.Limits.GramsPerHour, refusedGrams)
}

func (p *Policy) checkIntensity(place Place) string {
	return checkCarbon(place, place.Estimate.GramsPerKWh, p.Limits.GramsPerKWh, refusedIntensity)
}

func checkCarbon(place Place, value, limit *float64, text string) string {
	switch {
	case limit == nil:
		return ""
	case value == nil:
		return fmt.Sprintf(refusedCarbonUnknown, whyNoCarbon(place))
	case over(*value, *limit):
		return fmt.Sprintf(text, Decimal(*value), Decimal(*limit))
	}
	return ""
}

// whyNoPrice is what to do about an unknown price.
func whyNoPrice(place Place) string {
	return whyUnknown(place, place.Estimate.PriceProblem, givePrice, describePrice)
}

func whyNoCarbon(place Place) string {
	return whyUnknown(place, place.Estimate.CarbonProblem, giveCarbon, describeCarbon)
}

func whyUnknown(place Place, problem, give, describe string) string {
	switch {
	case problem != "":
		return problem
	case place.Local:
		return fmt.Sprintf(describeLocal, describe)
	}
	return give
}

func over(value, limit float64) bool { return value > limit*(1+noise) }
