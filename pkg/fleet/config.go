package fleet

import (
	_ "embed"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

const (
	// SelfTarget is the name of the Target that describes a source cluster itself.
	SelfTarget = "local"

	defaultPods = 110 // a kubelet's own default
)

// Config is what a fleet consists of.
type Config struct {
	Clusters []Cluster `json:"clusters"`
}

// Cluster is one cluster of a fleet. It may be a source, a target, or neither (a benchmark's control).
type Cluster struct {
	// Name is a DNS label; the Target of the cluster has the same.
	Name string `json:"name"`
	// Source clusters get the API, the admission policy, every Target and a controller.
	Source bool `json:"source,omitempty"`
	// Runtime of the nodes; that of the fleet when empty.
	Runtime string `json:"runtime,omitempty"`
	// Nodes as the runtime can have them: kwok simulates all, containerd has one of the first group, kind those of any size.
	Nodes []NodeGroup `json:"nodes,omitempty"`
	// Target is the spec of the cluster's Target, except its kubeconfigSecretRef and self, which the fleet sets: self is
	// true for a source cluster, whose Target is called SelfTarget and is seen only by itself.
	Target *v1alpha1.TargetSpec `json:"target,omitempty"`
	// FeatureGates of Kubernetes, of the control plane's components and of a real kubelet.
	FeatureGates map[string]bool `json:"featureGates,omitempty"`
	// RuntimeConfig turns API versions of the API server on and off: "scheduling.k8s.io/v1beta1": "true".
	RuntimeConfig map[string]string `json:"runtimeConfig,omitempty"`
}

// NodeGroup is a number of equal nodes.
type NodeGroup struct {
	Count  int               `json:"count"`
	CPU    resource.Quantity `json:"cpu"`
	Memory resource.Quantity `json:"memory"`
	// GPU is a count of nvidia.com/gpu.
	GPU *resource.Quantity `json:"gpu,omitempty"`
	// Pods a node may run: 110 when 0.
	Pods   int               `json:"pods,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
	Taints []corev1.Taint    `json:"taints,omitempty"`
}

//go:embed default.yaml
var defaultConfig []byte

// Default returns the fleet of one source and two targets that `spillway up` starts.
func Default() Config {
	c, err := Parse(defaultConfig)
	if err != nil {
		panic(err) // The file is part of this package and its test.
	}
	return c
}

// Parse reads a fleet's configuration, refuses what it does not know, and fills in defaults: a target's
// namespaces.create is true unless the file says otherwise, because a new fleet has no namespaces to burst to.
func Parse(data []byte) (Config, error) {
	var c Config
	if err := yaml.UnmarshalStrict(data, &c); err != nil {
		return Config{}, fmt.Errorf("reading the fleet's configuration: %w", explain(data, err))
	}
	c.createNamespaces(data)
	c = c.complete()
	if err := c.Validate(); err != nil {
		return Config{}, fmt.Errorf("reading the fleet's configuration: %w", err)
	}
	return c, nil
}

// createNamespaces sets namespaces.create where data does not mention it: the typed value cannot tell unset from false.
func (c Config) createNamespaces(data []byte) {
	var said struct {
		Clusters []struct {
			Target struct {
				Namespaces struct{ Create *bool }
			}
		}
	}
	if yaml.Unmarshal(data, &said) != nil {
		return // The strict reading before has accepted data.
	}
	for i, cluster := range c.Clusters {
		if cluster.Target != nil && said.Clusters[i].Target.Namespaces.Create == nil {
			cluster.Target.Namespaces.Create = true
		}
	}
}

// complete returns a copy with the defaults that also a Config made in Go gets.
func (c Config) complete() Config {
	out := Config{Clusters: make([]Cluster, len(c.Clusters))}
	for i, cluster := range c.Clusters {
		cluster.Nodes = append([]NodeGroup(nil), cluster.Nodes...)
		for j := range cluster.Nodes {
			if cluster.Nodes[j].Pods == 0 {
				cluster.Nodes[j].Pods = defaultPods
			}
		}
		if cluster.Target != nil {
			cluster.Target = cluster.Target.DeepCopy()
			cluster.Target.Self = cluster.Source
		}
		out.Clusters[i] = cluster
	}
	return out
}

// withRuntime sets the runtime of the clusters that name none.
func (c Config) withRuntime(runtime string) Config {
	for i := range c.Clusters {
		if c.Clusters[i].Runtime == "" {
			c.Clusters[i].Runtime = runtime
		}
	}
	return c
}
