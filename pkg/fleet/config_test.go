package fleet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestParseRefuses(t *testing.T) {
	tests := map[string]struct {
		data string
		want string
	}{
		"an empty file":                  {"", "clusters: none is given"},
		"a fleet without a source":       {"clusters: [{name: a}]", "none has source: true"},
		"an unknown field":               {"clusters: [{name: a, sauce: true}]", `unknown field "sauce"`},
		"an unknown field of a target":   {"clusters: [{name: a, source: true, target: {prize: 1}}]", `unknown field "prize"`},
		"a name that is no DNS label":    {"clusters: [{name: A_b, source: true}]", `clusters[0].name: "A_b" is not a name`},
		"two clusters of one name":       {"clusters: [{name: a, source: true}, {name: a}]", `clusters[1].name: "a" is the name of another cluster too`},
		"no nodes in a group":            {"clusters: [{name: a, source: true, nodes: [{cpu: 1, memory: 1Gi}]}]", "clusters[0].nodes[0].count: 0 is not a number of nodes"},
		"a negative number of nodes":     {"clusters: [{name: a, source: true, nodes: [{count: -1, cpu: 1, memory: 1Gi}]}]", "clusters[0].nodes[0].count: -1"},
		"a node without CPU":             {"clusters: [{name: a, source: true, nodes: [{count: 1, memory: 1Gi}]}]", "clusters[0].nodes[0].cpu: use more than 0"},
		"a node without memory":          {"clusters: [{name: a, source: true, nodes: [{count: 1, cpu: 1}]}]", "clusters[0].nodes[0].memory: use more than 0"},
		"a quantity that is none":        {"clusters: [{name: a, source: true, nodes: [{count: 1, cpu: 1, memory: 1Gi}, {count: 1, cpu: eight, memory: 1Gi}]}]", `clusters[0].nodes[1].cpu: "eight" is not a quantity`},
		"negative pods":                  {"clusters: [{name: a, source: true, nodes: [{count: 1, cpu: 1, memory: 1Gi, pods: -2}]}]", "clusters[0].nodes[0].pods: -2 is negative"},
		"negative GPUs":                  {"clusters: [{name: a, source: true, nodes: [{count: 1, cpu: 1, memory: 1Gi, gpu: -1}]}]", "clusters[0].nodes[0].gpu: -1 is negative"},
		"a target's own kubeconfig":      {"clusters: [{name: a, source: true}, {name: b, target: {kubeconfigSecretRef: {namespace: x, name: y}}}]", "clusters[1].target.kubeconfigSecretRef: the fleet sets it"},
		"the name of a source's own one": {"clusters: [{name: a, source: true}, {name: local, target: {}}]", `"local" is the Target of a source cluster itself`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(test.data))

			require.ErrorContains(t, err, "reading the fleet's configuration: ")
			assert.ErrorContains(t, err, test.want)
		})
	}
}

func TestParseSaysEverythingThatIsWrong(t *testing.T) {
	_, err := Parse([]byte("clusters: [{name: A}, {name: b, nodes: [{count: 1}]}]"))

	for _, want := range []string{"none has source: true", "clusters[0].name", "nodes[0].cpu", "nodes[0].memory"} {
		assert.ErrorContains(t, err, want)
	}
}

func TestParseFillsIn(t *testing.T) {
	c, err := Parse([]byte(`
clusters:
- name: a
  source: true
  target: {}
- name: b
  nodes: [{count: 2, cpu: 8, memory: 32Gi, gpu: 2, taints: [{key: k, effect: NoSchedule}]}, {count: 1, cpu: 1, memory: 1Gi, pods: 500}]
  target: {namespaces: {create: false}, reservation: {timeout: 2s}}
- name: c
  source: true
`))
	require.NoError(t, err)

	a, b := c.Clusters[0], c.Clusters[1]
	assert.True(t, a.Target.Self, "a source's Target is its own")
	assert.True(t, a.Target.Namespaces.Create, "namespaces are created unless the file says otherwise")
	assert.Nil(t, a.Target.Reservation.Timeout, "the API has the default")
	assert.False(t, b.Target.Self)
	assert.False(t, b.Target.Namespaces.Create)
	assert.Equal(t, 2*time.Second, b.Target.Reservation.Timeout.Duration)
	assert.Equal(t, 110, b.Nodes[0].Pods)
	assert.Equal(t, 500, b.Nodes[1].Pods)
	assert.Equal(t, []corev1.Taint{{Key: "k", Effect: corev1.TaintEffectNoSchedule}}, b.Nodes[0].Taints)
	assert.Equal(t, []string{"a", "c"}, c.sources())
	assert.Equal(t, []string{"b"}, c.targets())
}

func TestCompleteLeavesItsArgumentAlone(t *testing.T) {
	c := Config{Clusters: []Cluster{{Name: "a", Source: true, Nodes: []NodeGroup{{Count: 1}}, Target: &v1alpha1.TargetSpec{}}}}

	done := c.complete()

	assert.Equal(t, 110, done.Clusters[0].Nodes[0].Pods)
	assert.Zero(t, c.Clusters[0].Nodes[0].Pods)
	assert.False(t, c.Clusters[0].Target.Self)
}

func TestDefaultFleet(t *testing.T) {
	c := Default()

	assert.Equal(t, []string{"source"}, c.sources())
	assert.Equal(t, []string{"heata", "cloud"}, c.targets())
	assert.Equal(t, "120", c.Clusters[1].Target.Carbon.GramsPerKWh.String())
}
