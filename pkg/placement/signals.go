package placement

import (
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// Signals of one place; a nil Price or Carbon is unknown, which is not the same as zero.
type Signals struct {
	Price  *Price
	Carbon *Carbon
	Energy Energy
	// PriceProblem and CarbonProblem say why a signal that should be there is unknown, and what to do; empty where nobody
	// declared one.
	PriceProblem, CarbonProblem string
}

// Price of one unit of each resource for one hour, in Currency (ISO 4217).
type Price struct {
	Currency                            string
	PerCoreHour, PerGiBHour, PerGPUHour float64
}

// Carbon is grams of CO2e per kWh: the average of the grid, or what one more kWh causes (Marginal).
type Carbon struct {
	GramsPerKWh float64
	Marginal    bool
}

// Energy is how a place turns work into electricity, and what becomes of the heat.
type Energy struct {
	WattsPerCoreIdle, WattsPerCoreMax, WattsPerGiB float64
	// PUE is total energy over IT energy, from 1 (ISO/IEC 30134-2).
	PUE float64
	// EnergyReuseFactor is the share of the total energy that is used again, 0 to 1 (ISO/IEC 30134-6).
	EnergyReuseFactor float64
	// EmbodiedGramsPerCoreHour is the hardware's own footprint, in grams of CO2e.
	EmbodiedGramsPerCoreHour float64
}

// defaultEnergy is Cloud Carbon Footprint's averages for AWS: a large data centre, no heat reused. It knows no embodied
// figure per core that holds for hardware in general, so that is 0 until somebody declares one.
var defaultEnergy = Energy{WattsPerCoreIdle: 0.74, WattsPerCoreMax: 3.5, WattsPerGiB: 0.392, PUE: 1.135}

// EnergyFrom returns the energy model of a spec, field by field with the defaults for what is absent; nil is all defaults.
func EnergyFrom(e *v1alpha1.Energy) Energy {
	if e == nil {
		return defaultEnergy
	}
	return Energy{
		WattsPerCoreIdle:         number(e.WattsPerCoreIdle, defaultEnergy.WattsPerCoreIdle),
		WattsPerCoreMax:          number(e.WattsPerCoreMax, defaultEnergy.WattsPerCoreMax),
		WattsPerGiB:              number(e.WattsPerGiB, defaultEnergy.WattsPerGiB),
		PUE:                      number(e.PUE, defaultEnergy.PUE),
		EnergyReuseFactor:        number(e.EnergyReuseFactor, defaultEnergy.EnergyReuseFactor),
		EmbodiedGramsPerCoreHour: number(e.EmbodiedGramsPerCoreHour, defaultEnergy.EmbodiedGramsPerCoreHour),
	}
}

// PriceFrom returns the price of a spec; nil stays nil. A resource without a price of its own is free: whoever prices
// only cores has put the rest into that price.
func PriceFrom(p *v1alpha1.Price) *Price {
	if p == nil {
		return nil
	}
	return &Price{
		Currency:    p.Currency,
		PerCoreHour: p.CPUCoreHour.AsApproximateFloat64(),
		PerGiBHour:  number(p.MemoryGiBHour, 0),
		PerGPUHour:  number(p.GPUHour, 0),
	}
}

// CarbonFrom returns the carbon intensity of a spec; nil stays nil.
func CarbonFrom(c *v1alpha1.Carbon) *Carbon {
	if c == nil {
		return nil
	}
	return &Carbon{
		GramsPerKWh: c.GramsPerKWh.AsApproximateFloat64(),
		Marginal:    c.SignalType == v1alpha1.SignalMarginal,
	}
}

func number(q *resource.Quantity, absent float64) float64 {
	if q == nil {
		return absent
	}
	return q.AsApproximateFloat64()
}
