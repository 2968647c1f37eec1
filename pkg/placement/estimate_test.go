package placement_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

func TestRequestOf(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	tests := map[string]struct {
		spec corev1.PodSpec
		want placement.Request
	}{
		"containers add up": {
			spec: corev1.PodSpec{Containers: []corev1.Container{
				requesting("cpu", "500m", "memory", "1Gi"), requesting("cpu", "250m", "memory", "512Mi")}},
			want: placement.Request{Cores: 0.75, GiB: 1.5},
		},
		"an init container that needs more than the rest decides": {
			spec: corev1.PodSpec{
				InitContainers: []corev1.Container{requesting("cpu", "2")},
				Containers:     []corev1.Container{requesting("cpu", "500m")}},
			want: placement.Request{Cores: 2},
		},
		"a sidecar runs beside the containers": {
			spec: corev1.PodSpec{
				InitContainers: []corev1.Container{restarting(requesting("cpu", "100m"), &always)},
				Containers:     []corev1.Container{requesting("cpu", "500m")}},
			want: placement.Request{Cores: 0.6},
		},
		"the overhead of the runtime class counts": {
			spec: corev1.PodSpec{
				Overhead:   list("memory", "256Mi"),
				Containers: []corev1.Container{requesting("memory", "256Mi")}},
			want: placement.Request{GiB: 0.5},
		},
		"what the pod itself requests replaces what its containers do": {
			spec: corev1.PodSpec{
				Resources:  &corev1.ResourceRequirements{Requests: list("cpu", "4")},
				Containers: []corev1.Container{requesting("cpu", "1", "memory", "1Gi")}},
			want: placement.Request{Cores: 4, GiB: 1},
		},
		"GPUs of any vendor count, and other devices do not": {
			spec: corev1.PodSpec{Containers: []corev1.Container{
				requesting("nvidia.com/gpu", "2"), requesting("amd.com/gpu", "1"), requesting("example.com/fpga", "5")}},
			want: placement.Request{GPUs: 3},
		},
		"a pod that requests nothing costs nothing": {},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Empty(t, cmp.Diff(test.want, placement.RequestOf(&corev1.Pod{Spec: test.spec})))
		})
	}
}

func TestEstimateFor(t *testing.T) {
	price := &placement.Price{Currency: "GBP", PerCoreHour: 0.5, PerGiBHour: 0.25, PerGPUHour: 2}
	carbon := &placement.Carbon{GramsPerKWh: 1000}
	energy := placement.Energy{WattsPerCoreIdle: 1, WattsPerCoreMax: 3, WattsPerGiB: 0.5, PUE: 2}
	reusing, embodied := energy, energy
	reusing.EnergyReuseFactor, embodied.EmbodiedGramsPerCoreHour = 0.75, 10
	request := placement.Request{Cores: 2, GiB: 4, GPUs: 1} // 2 × 2 W + 4 × 0.5 W = 6 W, 12 W at the plug

	tests := map[string]struct {
		signals placement.Signals
		want    placement.Estimate
	}{
		"cost, watts and grams add up": {
			signals: placement.Signals{Price: price, Carbon: carbon, Energy: energy},
			want: placement.Estimate{CostPerHour: new(4.0), Currency: "GBP", GramsPerHour: new(12.0),
				GramsPerKWh: new(1000.0), WattsAtPlug: new(12.0)},
		},
		"the reused share of the energy emits nothing": {
			signals: placement.Signals{Carbon: carbon, Energy: reusing},
			want:    placement.Estimate{GramsPerHour: new(3.0), GramsPerKWh: new(1000.0), WattsAtPlug: new(12.0)},
		},
		"embodied emissions come on top, and reuse does not lessen them": {
			signals: placement.Signals{Carbon: carbon, Energy: embodied},
			want:    placement.Estimate{GramsPerHour: new(32.0), GramsPerKWh: new(1000.0), WattsAtPlug: new(12.0)},
		},
		"a marginal intensity stays marked as such": {
			signals: placement.Signals{Carbon: &placement.Carbon{GramsPerKWh: 500, Marginal: true}, Energy: energy},
			want: placement.Estimate{GramsPerHour: new(6.0), GramsPerKWh: new(500.0), Marginal: true,
				WattsAtPlug: new(12.0)},
		},
		"an unknown price leaves the cost unknown, and an unknown intensity the grams": {
			signals: placement.Signals{Energy: embodied},
			want:    placement.Estimate{WattsAtPlug: new(12.0)},
		},
		"a price of zero is known": {
			signals: placement.Signals{Price: &placement.Price{Currency: "EUR"}, Energy: energy},
			want:    placement.Estimate{CostPerHour: new(0.0), Currency: "EUR", WattsAtPlug: new(12.0)},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Empty(t, cmp.Diff(test.want, placement.EstimateFor(request, test.signals)))
		})
	}
}

func TestSignalsFromASpec(t *testing.T) {
	assert.Nil(t, placement.PriceFrom(nil), "no price is unknown, not free")
	assert.Nil(t, placement.CarbonFrom(nil), "no intensity is unknown, not clean")

	price := placement.PriceFrom(&v1alpha1.Price{Currency: "GBP", CPUCoreHour: *quantity("20m"), GPUHour: quantity("1.5")})
	assert.Equal(t, &placement.Price{Currency: "GBP", PerCoreHour: 0.02, PerGPUHour: 1.5}, price)

	marginal := v1alpha1.Carbon{GramsPerKWh: *quantity("415500m"), SignalType: v1alpha1.SignalMarginal}
	assert.Equal(t, &placement.Carbon{GramsPerKWh: 415.5, Marginal: true}, placement.CarbonFrom(&marginal))

	defaults := placement.EnergyFrom(nil)
	assert.Equal(t, defaults, placement.EnergyFrom(&v1alpha1.Energy{}), "each absent field has its default")
	declared := placement.EnergyFrom(&v1alpha1.Energy{PUE: quantity("1"), WattsPerGiB: quantity("0")})
	assert.InDelta(t, 1, declared.PUE, 0)
	assert.InDelta(t, 0, declared.WattsPerGiB, 0, "a declared zero is no absence")
	assert.InDelta(t, defaults.WattsPerCoreMax, declared.WattsPerCoreMax, 0)
}

func TestDecimal(t *testing.T) {
	tests := map[string]struct {
		x    float64
		want string
	}{
		"sums lose their noise":          {noisy(0.1, 0.2), "0.3"},
		"four digits are significant":    {0.123456, "0.1235"},
		"small numbers have no exponent": {0.0000012345, "0.000001234"},
		"large numbers have none either": {1234567, "1235000"},
		"whole numbers have no point":    {120, "120"},
		"zero is zero":                   {0, "0"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, placement.Decimal(test.x))
		})
	}
}

func requesting(pairs ...string) corev1.Container {
	return corev1.Container{Name: pairs[0], Resources: corev1.ResourceRequirements{Requests: list(pairs...)}}
}

func restarting(c corev1.Container, policy *corev1.ContainerRestartPolicy) corev1.Container {
	c.RestartPolicy = policy
	return c
}

func list(pairs ...string) corev1.ResourceList {
	resources := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		resources[corev1.ResourceName(pairs[i])] = *quantity(pairs[i+1])
	}
	return resources
}
