package signal_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
	"github.com/spillway-dev/spillway/pkg/signal"
	"github.com/spillway-dev/spillway/pkg/signal/configmap"
	"github.com/spillway-dev/spillway/pkg/signal/static"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// newReader reads specs, and the keys of one ConfigMap, energy/heata.
func newReader(data map[string]string) *signal.Reader {
	return signal.NewReader(static.Feed{}, configmap.New(func(namespace, name string) (*corev1.ConfigMap, error) {
		if namespace != "energy" || name != "heata" {
			return nil, apierrors.NewNotFound(corev1.Resource("configmaps"), name)
		}
		return &corev1.ConfigMap{Data: data}, nil
	}))
}

func from(name, key string) *v1alpha1.SignalSource {
	return &v1alpha1.SignalSource{ConfigMap: v1alpha1.ConfigMapSignal{Namespace: "energy", Name: name, Key: key}}
}

func TestFixedSignalsHoldWithoutEnd(t *testing.T) {
	spec := v1alpha1.TargetSpec{
		Price:  &v1alpha1.Price{Currency: "GBP", CPUCoreHour: resource.MustParse("20m")},
		Carbon: &v1alpha1.Carbon{GramsPerKWh: resource.MustParse("120")},
	}
	got, err := newReader(nil).Read(&spec, noon)
	require.NoError(t, err)
	want := signal.Reading{Signals: placement.Signals{
		Price:  &placement.Price{Currency: "GBP", PerCoreHour: 0.02},
		Carbon: &placement.Carbon{GramsPerKWh: 120},
		Energy: placement.EnergyFrom(nil),
	}}
	assert.Empty(t, cmp.Diff(want, got))
}

func TestASpecWithoutSignalsIsUnknownAndNoError(t *testing.T) {
	pue := resource.MustParse("2")
	got, err := newReader(nil).Read(&v1alpha1.TargetSpec{Energy: &v1alpha1.Energy{PUE: &pue}}, noon)
	require.NoError(t, err)
	assert.Nil(t, got.Signals.Price)
	assert.Nil(t, got.Signals.Carbon)
	assert.InDelta(t, 2, got.Signals.Energy.PUE, 0, "the energy model is the spec's")
}

func TestAFeedGivesValuesAndTheirEnd(t *testing.T) {
	reader := newReader(map[string]string{
		"price":  "currency: EUR\ncpuCoreHour: 0.03\nmemoryGiBHour: 4m\nvalidUntil: 2026-01-31T12:30:00Z\n",
		"carbon": "gramsPerKWh: 250\nsignalType: Marginal\n",
	})
	got, err := reader.Read(&v1alpha1.TargetSpec{PriceFrom: from("heata", "price"), CarbonFrom: from("heata", "carbon")}, noon)
	require.NoError(t, err)
	assert.Equal(t, &placement.Price{Currency: "EUR", PerCoreHour: 0.03, PerGiBHour: 0.004}, got.Signals.Price)
	assert.Equal(t, &placement.Carbon{GramsPerKWh: 250, Marginal: true}, got.Signals.Carbon)
	require.NotNil(t, got.PriceValidUntil)
	assert.True(t, got.PriceValidUntil.Equal(noon.Add(30*time.Minute)))
	assert.Nil(t, got.CarbonValidUntil)
}

func TestABadPriceIsUnknownAndTheCarbonStaysKnown(t *testing.T) {
	const price = "currency: GBP\ncpuCoreHour: 20m\n"
	tests := map[string]struct {
		source string
		value  string
		is     func(error) bool
		want   string
	}{
		"no ConfigMap of the name": {source: "cloud", is: signal.IsMissing,
			want: `price is unknown: ConfigMap energy/cloud, key "price", cannot be read, because there is no such ConfigMap: create it`},
		"no key of the name": {is: signal.IsMissing,
			want: `key "price", is not there: add the key, with the fields of spec.price as YAML`},
		"an empty value":                  {value: " ", is: signal.IsMalformed, want: "the field currency is missing"},
		"a bare number":                   {value: "3", is: signal.IsMalformed, want: "write the fields of spec.price"},
		"a misspelt field":                {value: price + "gpuHours: 1", is: signal.IsMalformed, want: `"gpuHours"`},
		"a misspelt price is not free":    {value: "currency: GBP\ncpuHour: 1", is: signal.IsMalformed, want: "cpuCoreHour is missing"},
		"an empty price is not free":      {value: "currency: GBP\ncpuCoreHour:", is: signal.IsMalformed, want: "cpuCoreHour is missing"},
		"a price that is no number":       {value: "currency: GBP\ncpuCoreHour: cheap", is: signal.IsMalformed, want: "cannot be used"},
		"a negative price":                {value: "currency: GBP\ncpuCoreHour: -1", is: signal.IsMalformed, want: "cpuCoreHour is negative"},
		"a negative price of memory":      {value: price + "memoryGiBHour: -1m", is: signal.IsMalformed, want: "memoryGiBHour is negative"},
		"a currency in words":             {value: "currency: pounds\ncpuCoreHour: 1", is: signal.IsMalformed, want: `"pounds" is not an ISO 4217 code`},
		"an end that is no time":          {value: price + "validUntil: noon", is: signal.IsMalformed, want: "cannot be used"},
		"an end that is now":              {value: price + "validUntil: 2026-01-31T12:00:00Z", is: signal.IsStale, want: "is stale since 2026-01-31T12:00:00Z: let its writer"},
		"an end that passed, in any zone": {value: price + `validUntil: "2026-01-31T12:30:00+01:00"`, is: signal.IsStale, want: "2026-01-31T11:30:00Z"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			data := map[string]string{"carbon": "gramsPerKWh: 120"}
			if test.value != "" {
				data["price"] = test.value
			}
			if test.source == "" {
				test.source = "heata"
			}
			spec := v1alpha1.TargetSpec{PriceFrom: from(test.source, "price"), CarbonFrom: from("heata", "carbon")}
			got, err := newReader(data).Read(&spec, noon)
			require.ErrorContains(t, err, test.want)
			assert.True(t, test.is(err))
			kinds := 0
			for _, is := range []func(error) bool{signal.IsMissing, signal.IsMalformed, signal.IsStale} {
				if is(err) {
					kinds++
				}
			}
			assert.Equal(t, 1, kinds, "an error has one reason")
			assert.Nil(t, got.Signals.Price)
			assert.Nil(t, got.PriceValidUntil)
			assert.Equal(t, strings.TrimPrefix(err.Error(), "price is unknown: "), got.Signals.PriceProblem, "for the pods that it keeps away")
			assert.Empty(t, got.Signals.CarbonProblem)
			assert.Equal(t, &placement.Carbon{GramsPerKWh: 120}, got.Signals.Carbon)
		})
	}
}

func TestABadCarbonIsUnknown(t *testing.T) {
	tests := map[string]struct {
		value string
		want  string
	}{
		"a misspelt intensity is not clean": {"gramsPerKwh: 120", "gramsPerKWh is missing"},
		"a negative intensity":              {"gramsPerKWh: -1", "gramsPerKWh is negative"},
		"an unknown signal type":            {"gramsPerKWh: 1\nsignalType: Best", `signalType "Best" is neither Average nor Marginal`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			reader := newReader(map[string]string{"carbon": test.value})
			got, err := reader.Read(&v1alpha1.TargetSpec{CarbonFrom: from("heata", "carbon")}, noon)
			require.ErrorContains(t, err, test.want)
			assert.True(t, signal.IsMalformed(err))
			assert.Nil(t, got.Signals.Carbon)
			assert.Contains(t, got.Signals.CarbonProblem, test.want)
		})
	}
}

func TestTwoBadSignalsAreBothNamed(t *testing.T) {
	reader := newReader(map[string]string{"price": "currency: GBP\ncpuCoreHour: 1\nvalidUntil: 2020-01-01T00:00:00Z"})
	spec := v1alpha1.TargetSpec{PriceFrom: from("heata", "price"), CarbonFrom: from("heata", "carbon")}
	_, err := reader.Read(&spec, noon)
	assert.True(t, signal.IsStale(err), "the price")
	assert.True(t, signal.IsMissing(err), "the carbon intensity")
	assert.False(t, signal.IsMalformed(err))
}

func TestAFailureToReadIsMissingWithItsCause(t *testing.T) {
	reader := signal.NewReader(configmap.New(func(string, string) (*corev1.ConfigMap, error) {
		return nil, errors.New("configmaps is forbidden")
	}))
	_, err := reader.Read(&v1alpha1.TargetSpec{PriceFrom: from("heata", "price")}, noon)
	assert.True(t, signal.IsMissing(err))
	assert.ErrorContains(t, err, "cannot be read (configmaps is forbidden): allow the controller to get and watch it")
}

func TestStatusShowsTheReading(t *testing.T) {
	reading := signal.Reading{
		Signals: placement.Signals{
			Price:  &placement.Price{Currency: "GBP", PerCoreHour: 0.02},
			Carbon: &placement.Carbon{GramsPerKWh: 415.5},
		},
		CarbonValidUntil: &noon,
	}
	want := v1alpha1.SignalStatus{Price: "GBP 0.02", GramsPerKWh: "415.5", CarbonValidUntil: &metav1.Time{Time: noon}}
	assert.Empty(t, cmp.Diff(want, reading.Status()))
	assert.Empty(t, signal.Reading{}.Status(), "what is unknown is empty")
}
