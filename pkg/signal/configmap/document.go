package configmap

import (
	"cmp"
	"fmt"
	"regexp"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// document is a value in a ConfigMap. It passed no API server, so it is checked here as the CRD checks a spec.
type document interface {
	required() []string
	check() error
	until() *time.Time
}

type price struct {
	v1alpha1.Price `json:",inline"`
	validity       `json:",inline"`
}

type carbon struct {
	v1alpha1.Carbon `json:",inline"`
	validity        `json:",inline"`
}

type validity struct {
	ValidUntil *metav1.Time `json:"validUntil,omitempty"`
}

// parse reads YAML strictly: a misspelt field would silently be a zero, and the cheapest of all prices is zero.
func parse(text string, doc document) error {
	var fields map[string]any
	if err := yaml.Unmarshal([]byte(text), &fields); err != nil {
		return err
	}
	for _, name := range doc.required() {
		if fields[name] == nil {
			return fmt.Errorf("the field %s is missing", name)
		}
	}
	if err := yaml.UnmarshalStrict([]byte(text), doc); err != nil {
		return err
	}
	return doc.check()
}

func (v validity) until() *time.Time {
	if v.ValidUntil == nil {
		return nil
	}
	return &v.ValidUntil.Time
}

var currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)

func (*price) required() []string { return []string{"currency", "cpuCoreHour"} }

func (p *price) check() error {
	if !currencyCode.MatchString(p.Currency) {
		return fmt.Errorf("currency %q is not an ISO 4217 code such as GBP", p.Currency)
	}
	return cmp.Or(
		notNegative("cpuCoreHour", &p.CPUCoreHour),
		notNegative("memoryGiBHour", p.MemoryGiBHour),
		notNegative("gpuHour", p.GPUHour),
	)
}

func (*carbon) required() []string { return []string{"gramsPerKWh"} }

func (c *carbon) check() error {
	switch c.SignalType {
	case "", v1alpha1.SignalAverage, v1alpha1.SignalMarginal:
		return notNegative("gramsPerKWh", &c.GramsPerKWh)
	}
	return fmt.Errorf("signalType %q is neither Average nor Marginal", c.SignalType)
}

func notNegative(field string, q *resource.Quantity) error {
	if q != nil && q.Sign() < 0 {
		return fmt.Errorf("%s is negative", field)
	}
	return nil
}
