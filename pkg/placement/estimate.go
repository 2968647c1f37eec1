package placement

import (
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"
)

// Utilisation is the share of its requested cores that a pod is assumed to use: Cloud Carbon Footprint's fallback, the
// mean of large data centres. Before a pod has run, nobody knows better.
const Utilisation = 0.5

const bytesPerGiB = 1 << 30

// Request is what a pod asks for.
type Request struct{ Cores, GiB, GPUs float64 }

// RequestOf returns the pod's effective requests, as the scheduler counts them: containers, init containers and sidecars,
// overhead, and pod-level resources. GPUs are all extended resources whose name ends in "/gpu", of any vendor.
func RequestOf(pod *corev1.Pod) Request {
	requests := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
	var gpus int64
	for name, quantity := range requests {
		if strings.HasSuffix(string(name), "/gpu") {
			gpus += quantity.Value()
		}
	}
	return Request{
		Cores: float64(requests.Cpu().MilliValue()) / 1000,
		GiB:   float64(requests.Memory().Value()) / bytesPerGiB,
		GPUs:  float64(gpus),
	}
}

// Estimate is what one hour of a pod costs in one place; nil is unknown.
type Estimate struct {
	CostPerHour *float64 // in Currency
	Currency    string
	// GramsPerHour of CO2e, operational and embodied.
	GramsPerHour *float64
	// GramsPerKWh of the place's electricity. Marginal says of which kind both are: the two kinds cannot be compared.
	GramsPerKWh *float64
	Marginal    bool
	// PriceProblem and CarbonProblem are those of the Signals.
	PriceProblem, CarbonProblem string
	// WattsAtPlug is what the pod draws, with its share of cooling and losses.
	WattsAtPlug *float64
}

// EstimateFor returns what one hour of a request costs under these signals.
func EstimateFor(r Request, s Signals) Estimate {
	watts := wattsAtPlug(r, s.Energy)
	estimate := Estimate{WattsAtPlug: &watts, PriceProblem: s.PriceProblem, CarbonProblem: s.CarbonProblem}
	if s.Price != nil {
		cost := r.Cores*s.Price.PerCoreHour + r.GiB*s.Price.PerGiBHour + r.GPUs*s.Price.PerGPUHour
		estimate.CostPerHour, estimate.Currency = &cost, s.Price.Currency
	}
	if s.Carbon != nil {
		intensity := s.Carbon.GramsPerKWh
		grams := watts/1000*intensity*(1-s.Energy.EnergyReuseFactor) + r.Cores*s.Energy.EmbodiedGramsPerCoreHour
		estimate.GramsPerHour, estimate.GramsPerKWh, estimate.Marginal = &grams, &intensity, s.Carbon.Marginal
	}
	return estimate
}

func wattsAtPlug(r Request, e Energy) float64 {
	perCore := e.WattsPerCoreIdle + Utilisation*(e.WattsPerCoreMax-e.WattsPerCoreIdle)
	return (r.Cores*perCore + r.GiB*e.WattsPerGiB) * e.PUE
}

// Decimal writes a number for people and records: four significant digits, never an exponent, nothing trailing.
func Decimal(x float64) string {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 4, 64), 64)
	if err != nil { // only the largest floats round out of range
		rounded = x
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

func decimal(x *float64) string {
	if x == nil {
		return ""
	}
	return Decimal(*x)
}
