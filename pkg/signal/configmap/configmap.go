// Package configmap is the feed of signals that somebody keeps fresh in a ConfigMap of the source cluster:
// spec.priceFrom and spec.carbonFrom. In goes the name of a ConfigMap and a key; out comes the price or the carbon
// intensity in its value, or an error that says why there is none and what its writer has to do.
package configmap

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
	"github.com/spillway-dev/spillway/pkg/signal"
)

// Get returns a ConfigMap, from a cache: it must not wait. An absent one is a NotFound error of the API.
type Get func(namespace, name string) (*corev1.ConfigMap, error)

// Feed reads ConfigMaps.
type Feed struct{ get Get }

var _ signal.Feed = (*Feed)(nil)

// New returns a Feed of the ConfigMaps that get returns.
func New(get Get) *Feed { return &Feed{get: get} }

// Price is the one at spec.priceFrom.
func (f *Feed) Price(spec *v1alpha1.TargetSpec, now time.Time) (signal.Value[placement.Price], error) {
	if spec.PriceFrom == nil {
		return signal.Value[placement.Price]{}, nil
	}
	var doc price
	if err := f.read(signal.Price, spec.PriceFrom.ConfigMap, &doc, now); err != nil {
		return signal.Value[placement.Price]{}, err
	}
	return signal.Value[placement.Price]{Value: placement.PriceFrom(&doc.Price), ValidUntil: doc.until()}, nil
}

// Carbon is the one at spec.carbonFrom.
func (f *Feed) Carbon(spec *v1alpha1.TargetSpec, now time.Time) (signal.Value[placement.Carbon], error) {
	if spec.CarbonFrom == nil {
		return signal.Value[placement.Carbon]{}, nil
	}
	var doc carbon
	if err := f.read(signal.Carbon, spec.CarbonFrom.ConfigMap, &doc, now); err != nil {
		return signal.Value[placement.Carbon]{}, err
	}
	return signal.Value[placement.Carbon]{Value: placement.CarbonFrom(&doc.Carbon), ValidUntil: doc.until()}, nil
}

// read fills doc from the ConfigMap, or returns a *signal.Error.
func (f *Feed) read(name string, at v1alpha1.ConfigMapSignal, doc document, now time.Time) error {
	fail := func(reason signal.Reason, problem, remedy string) error {
		source := fmt.Sprintf("ConfigMap %s/%s, key %q,", at.Namespace, at.Name, at.Key)
		return &signal.Error{Signal: name, Source: source, Reason: reason, Problem: problem, Remedy: remedy}
	}
	object, err := f.get(at.Namespace, at.Name)
	switch {
	case apierrors.IsNotFound(err):
		return fail(signal.ReasonMissing, noConfigMap, createIt)
	case err != nil:
		return fail(signal.ReasonMissing, fmt.Sprintf(unreadable, err), allowIt)
	}
	text, ok := object.Data[at.Key]
	if !ok {
		return fail(signal.ReasonMissing, noKey, fmt.Sprintf(addKey, name))
	}
	if err := parse(text, doc); err != nil {
		return fail(signal.ReasonMalformed, fmt.Sprintf(malformed, err), fmt.Sprintf(correctIt, name))
	}
	if until := doc.until(); until != nil && !now.Before(*until) {
		return fail(signal.ReasonStale, fmt.Sprintf(stale, until.UTC().Format(time.RFC3339)), renewIt)
	}
	return nil
}
