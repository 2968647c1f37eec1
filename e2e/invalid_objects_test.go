package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// With nothing wrong, the object is accepted: else a refusal would prove nothing.
const goodRef = "kubeconfigSecretRef: {namespace: a, name: b}"

func TestTheAPIServerRefusesNonsenseReadably(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		kind, spec string
		says       []string // nothing: it is accepted
	}{
		"a good Target":            {"Target", goodRef, nil},
		"a good policy":            {"ClusterPlacementPolicy", "{mode: Any, weights: {cost: 2, carbon: 1}, limits: {gramsPerKWh: 300}}", nil},
		"a policy with every word": {"PlacementPolicy", "{preemption: BeforeBurst, unknownSignals: Exclude, tolerancePercent: 0}", nil},
		"a good Target of itself":  {"Target", "self: true", nil},

		"neither self nor a kubeconfig": {"Target", "{}", []string{"set exactly one of spec.kubeconfigSecretRef (another cluster) and spec.self: true"}},
		"both self and a kubeconfig":    {"Target", "self: true\n" + goodRef, []string{"set exactly one of"}},
		"a negative price":              {"Target", goodRef + "\nprice: {currency: GBP, cpuCoreHour: -1}", []string{"spec.price.cpuCoreHour", "a price is never negative"}},
		"a price that is no number":     {"Target", goodRef + "\nprice: {currency: GBP, cpuCoreHour: cheap}", []string{"spec.price.cpuCoreHour"}},
		"both price and priceFrom": {"Target", goodRef + "\nprice: {currency: GBP, cpuCoreHour: 1}\npriceFrom: {configMap: {namespace: a, name: b, key: c}}",
			[]string{"set spec.price or spec.priceFrom, not both"}},
		"a currency that is none": {"Target", goodRef + "\nprice: {currency: pounds, cpuCoreHour: 1}", []string{"spec.price.currency"}},
		"a PUE under 1":           {"Target", goodRef + "\nenergy: {pue: \"0.5\"}", []string{"at least 1"}},
		"an unknown field":        {"Target", goodRef + "\nprize: 1", []string{`unknown field "spec.prize"`}},
		"a label that is Spillway's own": {"Target", goodRef + "\nlabels: {spillway.dev/target: x}",
			[]string{"spec.labels", "are set by Spillway: remove them"}},

		"weights all zero":                    {"PlacementPolicy", "weights: {cost: 0, carbon: 0, capacity: 0}", []string{"at least one of the weights cost, carbon and capacity must be positive"}},
		"a negative weight":                   {"PlacementPolicy", "weights: {cost: -1, carbon: 2}", []string{"spec.weights.cost"}},
		"a negative limit":                    {"PlacementPolicy", "limits: {gramsPerKWh: -5}", []string{"spec.limits.gramsPerKWh", "a limit is never negative"}},
		"a limit of no currency":              {"PlacementPolicy", "limits: {pricePerHour: 1}", []string{"limits.pricePerHour and limits.currency go together"}},
		"an unknown mode":                     {"PlacementPolicy", "mode: Sometimes", []string{"spec.mode", `"Sometimes"`, `"LocalFirst"`, `"RemoteOnly"`}},
		"an unknown word for unknown signals": {"PlacementPolicy", "unknownSignals: Guess", []string{"spec.unknownSignals", `"Worst"`, `"Exclude"`}},
		"an unknown order of preemption":      {"PlacementPolicy", "preemption: Always", []string{"spec.preemption", `"AfterBurst"`, `"BeforeBurst"`}},
		"preemption before bursting, local nodes not first": {"PlacementPolicy", "{mode: Any, preemption: BeforeBurst}",
			[]string{"preemption: BeforeBurst goes with mode: LocalFirst"}},
		"an unknown field of a policy": {"ClusterPlacementPolicy", "weights: {cost: 1, speed: 3}",
			[]string{`unknown field "spec.weights.speed"`}},
	}
	s := givenNamespace(t, source, nil)
	strict := client.NewDryRunClient(client.WithFieldValidation(s.client, "Strict"))
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			object := &unstructured.Unstructured{}
			require.NoError(t, yaml.Unmarshal([]byte("spec:\n"+indent(test.spec)), &object.Object))
			object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(test.kind))
			object.SetName(uniqueName("invalid"))
			if test.kind == "PlacementPolicy" {
				object.SetNamespace(s.name)
			}

			err := strict.Create(t.Context(), object)

			if test.says == nil {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			assert.NoError(t, containsAll(err.Error(), test.says...))
		})
	}
}

// indent puts a spec below its key.
func indent(spec string) string { return "  " + strings.ReplaceAll(spec, "\n", "\n  ") }
