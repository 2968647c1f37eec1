package placement

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// EffectiveReason says, as a condition's reason, whether a policy lets pods burst at all.
type EffectiveReason string

// The reasons of an Effect. All but the first two say that no pod can burst by the policy.
const (
	ReasonTargetsMatch    EffectiveReason = "TargetsMatch"
	ReasonNoTargets       EffectiveReason = "NoTargets"
	ReasonNoTargetMatches EffectiveReason = "NoTargetMatches"
	ReasonLimitsExclude   EffectiveReason = "LimitsExcludeAll"
)

// Effect is what a policy does with the places that there are, whatever a pod asks for.
type Effect struct {
	// OK: some pod may go to a target; or there is no target yet and local nodes take pods.
	OK      bool
	Reason  EffectiveReason
	Message string
}

// Bounds of an Effect's message, which the API server refuses beyond 32 KiB: how many names one reason lists, how many
// reasons, and how long they are together.
const (
	shownTargets   = 5
	shownReasons   = 5
	maxEffectBytes = 2000
)

// EffectOn judges a policy by an empty request in every place: what is refused to a pod that asks for nothing is refused to
// all pods. Places hold the local nodes as one place, and all targets, whether they can be used now or not.
func (p *Policy) EffectOn(places []Place) Effect {
	targets, admitted, local := 0, 0, ""
	byReason, selected := map[string][]string{}, false
	for _, place := range places {
		reason := p.Admit(place)
		if place.Local {
			local = reason
			continue
		}
		targets++
		selected = selected || p.checkTarget(place) == ""
		if reason == "" {
			admitted++
		} else {
			byReason[reason] = append(byReason[reason], place.Name)
		}
	}
	locally := localTakes
	if local != "" {
		locally = fmt.Sprintf(localRefuses, local)
	}
	switch {
	case admitted > 0:
		return Effect{true, ReasonTargetsMatch, fmt.Sprintf(effectMatches, admitted, targets, locally)}
	case targets == 0 && p.Mode == v1alpha1.ModeRemoteOnly:
		return Effect{false, ReasonNoTargets, effectNowhere}
	case targets == 0:
		return Effect{local == "", ReasonNoTargets, fmt.Sprintf(effectNoTargets, locally)}
	case !selected:
		return Effect{false, ReasonNoTargetMatches, fmt.Sprintf(effectNoMatch, Cut(p.TargetSelector.String(), maxEffectBytes), targets, locally)}
	}
	return Effect{false, ReasonLimitsExclude, fmt.Sprintf(effectExcluded, targets, list(byReason), locally)}
}

// list puts reasons in one line, each after the names that have it.
func list(byReason map[string][]string) string {
	lines := make([]string, 0, len(byReason))
	for reason, names := range byReason {
		slices.Sort(names)
		if more := len(names) - shownTargets; more > 0 {
			names = append(names[:shownTargets], fmt.Sprintf("%d more", more))
		}
		lines = append(lines, strings.Join(names, ", ")+": "+reason)
	}
	slices.Sort(lines)
	if more := len(lines) - shownReasons; more > 0 {
		lines = append(lines[:shownReasons], fmt.Sprintf("%d more reasons", more))
	}
	return Cut(strings.Join(lines, "; "), maxEffectBytes)
}
