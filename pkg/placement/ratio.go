package placement

import "math"

// measure is a cost or an emission of one place. Only measures of one unit (a currency; average or marginal carbon) are
// compared: EUR against GBP would need an exchange rate, which nobody gave us.
type measure struct {
	value float64
	unit  string
	known bool
}

// ratio is how near a place comes to the best one in one factor: 1 is the best, 0.5 twice as dear.
type ratio struct {
	value   float64
	unknown bool
}

func costs(places []Place) []measure {
	measures := make([]measure, len(places))
	for i, place := range places {
		measures[i] = measured(place.Estimate.CostPerHour, place.Estimate.Currency)
	}
	return measures
}

func emissions(places []Place) []measure {
	measures := make([]measure, len(places))
	for i, place := range places {
		unit := "average"
		if place.Estimate.Marginal {
			unit = "marginal"
		}
		measures[i] = measured(place.Estimate.GramsPerHour, unit)
	}
	return measures
}

func measured(value *float64, unit string) measure {
	if value == nil || !(*value >= 0) || math.IsInf(*value, 1) { // !(x >= 0) is true of NaN, too
		return measure{}
	}
	return measure{value: *value, unit: unit, known: true}
}

// toBest returns best/x of each measure. It is the scale on which 200 and 201 grams are nearly the same and one place
// with 800 does not make 16 and 60 look alike, as they do once scores are stretched between minimum and maximum.
//
// What is within the tolerance of the best is the best. What is unknown, or in another unit than most, counts as the
// worst that is known; where nothing is known, all count as the best. Where the best is 0, anything else gets 0.
func toBest(measures []measure, tolerance float64) []ratio {
	unit := commonUnit(measures)
	best := math.Inf(1)
	for _, m := range measures {
		if m.known && m.unit == unit {
			best = min(best, m.value)
		}
	}
	ratios, worst := make([]ratio, len(measures)), 1.0
	for i, m := range measures {
		if !m.known || m.unit != unit {
			ratios[i].unknown = true
			continue
		}
		ratios[i].value = bestOver(best, m.value, tolerance)
		worst = min(worst, ratios[i].value)
	}
	for i := range ratios {
		if ratios[i].unknown {
			ratios[i].value = worst
		}
	}
	return ratios
}

func bestOver(best, x, tolerance float64) float64 {
	if !over(x, best*(1+tolerance)) {
		return 1
	}
	return best / x
}

// commonUnit is the unit that most of the known measures have; of equally common ones the first in the alphabet, so
// that the order of the places does not matter.
func commonUnit(measures []measure) string {
	counts := map[string]int{}
	for _, m := range measures {
		if m.known {
			counts[m.unit]++
		}
	}
	common := ""
	for unit, count := range counts {
		if count > counts[common] || count == counts[common] && unit < common {
			common = unit
		}
	}
	return common
}

// scarce is the free share below which a place is filled up instead of being kept level with others.
const scarce = 0.3

// rooms returns each place's room relative to the best; all count the same where nobody has any.
func rooms(places []Place) []float64 {
	shares, most := make([]float64, len(places)), 0.0
	for i, place := range places {
		shares[i] = roominess(place.FreeShare)
		most = max(most, shares[i])
	}
	for i := range shares {
		if most == 0 {
			shares[i] = 1
		} else {
			shares[i] /= most
		}
	}
	return shares
}

// roominess is the free share where there is plenty, so that load is spread. Where room is scarce, a place that is nearly
// full comes before one that is less so, and all of them after the roomy ones: what is left is in pieces, and a target's
// scheduler breaks its largest piece first. Keeping scarce places level breaks the largest pieces of all of them, and large
// pods then fit nowhere, although there is room for them in sum.
func roominess(freeShare float64) float64 {
	switch {
	case !(freeShare >= 0): // true of NaN, too
		return 0
	case freeShare < scarce:
		return scarce - freeShare/2
	}
	return min(freeShare, 1)
}
