package fleet

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"
)

// Validate says everything that is wrong with a configuration, each with the place where it is.
func (c Config) Validate() error {
	var errs []error
	if len(c.Clusters) == 0 {
		errs = append(errs, errors.New("clusters: none is given"))
	} else if len(c.sources()) == 0 {
		errs = append(errs, errors.New("clusters: none has source: true; set it on the cluster that pods are submitted to"))
	}
	seen := map[string]bool{}
	for i, cluster := range c.Clusters {
		at := fmt.Sprintf("clusters[%d]", i)
		errs = append(errs, cluster.validate(at)...)
		if seen[cluster.Name] {
			errs = append(errs, fmt.Errorf("%s.name: %q is the name of another cluster too", at, cluster.Name))
		}
		seen[cluster.Name] = true
	}
	return errors.Join(errs...)
}

func (c Cluster) validate(at string) []error {
	errs := nameErrors(at+".name", c.Name)
	if c.Name == SelfTarget && c.Target != nil {
		errs = append(errs, fmt.Errorf("%s.name: %q is the Target of a source cluster itself: choose another", at, c.Name))
	}
	if c.Target != nil && c.Target.KubeconfigSecretRef != nil {
		errs = append(errs, fmt.Errorf("%s.target.kubeconfigSecretRef: the fleet sets it: remove it", at))
	}
	if c.Runtime != "" {
		errs = append(errs, runtimeErrors(at+".runtime", c.Runtime)...)
	}
	for i, group := range c.Nodes {
		if group.GPU != nil && !group.GPU.IsZero() && c.Runtime != "" && c.Runtime != RuntimeKwok {
			errs = append(errs, fmt.Errorf("%s.nodes[%d].gpu: only %s simulates GPUs: remove it", at, i, RuntimeKwok))
		}
		errs = append(errs, group.validate(fmt.Sprintf("%s.nodes[%d]", at, i))...)
	}
	return errs
}

func (g NodeGroup) validate(at string) []error {
	var errs []error
	if g.Count <= 0 {
		errs = append(errs, fmt.Errorf("%s.count: %d is not a number of nodes: use 1 or more", at, g.Count))
	}
	if g.Pods < 0 {
		errs = append(errs, fmt.Errorf("%s.pods: %d is negative: use 1 or more, or leave it out for %d", at, g.Pods, defaultPods))
	}
	if g.CPU.Sign() <= 0 {
		errs = append(errs, fmt.Errorf("%s.cpu: use more than 0, such as 8 or 500m", at))
	}
	if g.Memory.Sign() <= 0 {
		errs = append(errs, fmt.Errorf("%s.memory: use more than 0, such as 32Gi", at))
	}
	if g.GPU != nil && g.GPU.Sign() < 0 {
		errs = append(errs, fmt.Errorf("%s.gpu: %s is negative", at, g.GPU))
	}
	return errs
}

func runtimeErrors(at, runtime string) []error {
	if slices.Contains(runtimes, runtime) {
		return nil
	}
	return []error{fmt.Errorf("%s: %q is no runtime: use %s", at, runtime, strings.Join(runtimes, ", "))}
}

func nameErrors(at, name string) []error {
	if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
		return []error{fmt.Errorf("%s: %q is not a name: %s", at, name, strings.Join(problems, "; "))}
	}
	return nil
}

// explain finds the quantity that err, from reading data, is about: the decoder does not say which.
func explain(data []byte, err error) error {
	var raw struct {
		Clusters []struct {
			Nodes []map[string]any `json:"nodes"`
		} `json:"clusters"`
	}
	if yaml.Unmarshal(data, &raw) != nil {
		return err
	}
	for i, cluster := range raw.Clusters {
		for j, node := range cluster.Nodes {
			for _, field := range []string{"cpu", "memory", "gpu"} {
				value, ok := node[field]
				if !ok {
					continue
				}
				if _, bad := resource.ParseQuantity(fmt.Sprint(value)); bad != nil {
					return fmt.Errorf("clusters[%d].nodes[%d].%s: %q is not a quantity such as 8, 500m or 32Gi",
						i, j, field, fmt.Sprint(value))
				}
			}
		}
	}
	return err
}

func (c Config) sources() []string {
	return c.names(func(c Cluster) bool { return c.Source })
}

func (c Config) targets() []string {
	return c.names(func(c Cluster) bool { return !c.Source && c.Target != nil })
}

func (c Config) names(pick func(Cluster) bool) []string {
	var names []string
	for _, cluster := range c.Clusters {
		if pick(cluster) {
			names = append(names, cluster.Name)
		}
	}
	return names
}
