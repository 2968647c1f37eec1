// Package signal reads what electricity and machines cost in a place now: its price and its carbon intensity.
//
// In goes a Target's spec, which holds either the numbers or the name of a feed that keeps them. Out comes a Reading, the
// signals in force with the time until which they hold. Each feed is a folder below this one: static (the spec itself)
// and configmap. To add a feed, implement Feed in a folder of its own and give it to NewReader.
package signal

import (
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

// Reading is the signals in force for a target, and until when; a nil time is without end.
type Reading struct {
	Signals                           placement.Signals
	PriceValidUntil, CarbonValidUntil *time.Time
}

// Value is one signal from one feed. Its zero value says that the spec does not name this feed.
type Value[T any] struct {
	Value      *T
	ValidUntil *time.Time
}

// Feed is where signals come from. It answers from memory: it is asked on every change of a target, and never waits. Its
// errors are *Error, and with one the Value is zero.
type Feed interface {
	Price(spec *v1alpha1.TargetSpec, now time.Time) (Value[placement.Price], error)
	Carbon(spec *v1alpha1.TargetSpec, now time.Time) (Value[placement.Carbon], error)
}

// Reader asks feeds in their order; the first that the spec names is the one.
type Reader struct{ feeds []Feed }

// NewReader returns a Reader of these feeds.
func NewReader(feeds ...Feed) *Reader { return &Reader{feeds: feeds} }

// Read gives the signals in force for a target. The Reading can be used even with an error: the signal that the error
// names is unknown in it, the other one is not. The error joins up to two of *Error.
func (r *Reader) Read(spec *v1alpha1.TargetSpec, now time.Time) (Reading, error) {
	price, priceErr := first(r.feeds, func(feed Feed) (Value[placement.Price], error) { return feed.Price(spec, now) })
	carbon, carbonErr := first(r.feeds, func(feed Feed) (Value[placement.Carbon], error) { return feed.Carbon(spec, now) })
	return Reading{
		Signals: placement.Signals{
			Price:  price.Value,
			Carbon: carbon.Value,
			Energy: placement.EnergyFrom(spec.Energy),

			PriceProblem:  problem(priceErr),
			CarbonProblem: problem(carbonErr),
		},
		PriceValidUntil:  price.ValidUntil,
		CarbonValidUntil: carbon.ValidUntil,
	}, errors.Join(priceErr, carbonErr)
}

// Status shows the reading in a Target's status; what is unknown is empty.
func (r Reading) Status() v1alpha1.SignalStatus {
	var status v1alpha1.SignalStatus
	if price := r.Signals.Price; price != nil {
		status.Price = price.Currency + " " + placement.Decimal(price.PerCoreHour)
	}
	if carbon := r.Signals.Carbon; carbon != nil {
		status.GramsPerKWh = placement.Decimal(carbon.GramsPerKWh)
	}
	status.PriceValidUntil, status.CarbonValidUntil = apiTime(r.PriceValidUntil), apiTime(r.CarbonValidUntil)
	return status
}

func first[T any](feeds []Feed, ask func(Feed) (Value[T], error)) (Value[T], error) {
	for _, feed := range feeds {
		if value, err := ask(feed); err != nil || value.Value != nil {
			return value, err
		}
	}
	return Value[T]{}, nil
}

// problem is an error without the signal's name, which is said around it.
func problem(err error) string {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return fmt.Sprintf("%s %s: %s", e.Source, e.Problem, e.Remedy)
	}
	return err.Error()
}

func apiTime(t *time.Time) *metav1.Time {
	if t == nil {
		return nil
	}
	return &metav1.Time{Time: *t}
}
