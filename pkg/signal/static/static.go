// Package static is the feed of signals that stand in the Target's spec: spec.price and spec.carbon. They never become
// stale, because whoever wrote them meant them to hold until changed.
package static

import (
	"time"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
	"github.com/spillway-dev/spillway/pkg/signal"
)

// Feed reads the spec itself; it has nothing to fail on.
type Feed struct{}

var _ signal.Feed = Feed{}

// Price is spec.price.
func (Feed) Price(spec *v1alpha1.TargetSpec, _ time.Time) (signal.Value[placement.Price], error) {
	return signal.Value[placement.Price]{Value: placement.PriceFrom(spec.Price)}, nil
}

// Carbon is spec.carbon.
func (Feed) Carbon(spec *v1alpha1.TargetSpec, _ time.Time) (signal.Value[placement.Carbon], error) {
	return signal.Value[placement.Carbon]{Value: placement.CarbonFrom(spec.Carbon)}, nil
}
