// Package profile puts the scheduler together: Kubernetes' own, with one profile "spillway" in which the in-tree plugins
// look through views and our plugin decides between places. The plugin and a view of cluster-level constraints come in;
// a scheduler ready to run comes out.
package profile

import (
	"fmt"

	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/latest"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	schedulerplugin "github.com/spillway-dev/spillway/scheduler-plugin"
	"github.com/spillway-dev/spillway/scheduler-plugin/views"
)

// inTree is how the in-tree plugins take part. Scoring by them is off: a virtual node always looks empty.
var inTree = []struct {
	name      string
	clustered bool // sees the cluster-level constraints at virtual nodes; else it only looks at local nodes
	points    point
}{
	{names.TaintToleration, true, preFilter | filter},
	{names.NodeAffinity, true, preFilter | filter},
	{names.PodTopologySpread, true, preFilter | filter},
	{names.InterPodAffinity, true, preFilter | filter},
	{names.NodePorts, false, preFilter | filter},
	{names.NodeResourcesFit, false, preFilter | filter},
	{names.VolumeRestrictions, false, preFilter | filter},
	{names.NodeVolumeLimits, false, preFilter | filter},
	{names.VolumeZone, false, preFilter | filter},
	{names.NodeDeclaredFeatures, false, preFilter | filter},
	{names.VolumeBinding, false, preFilter | filter | binding},
}

// point is a set of extension points.
type point int

const (
	preFilter point = 1 << iota
	filter
	binding
)

// build returns the wrapped plugins and the profile that uses them.
func build(plugin *schedulerplugin.Plugin, view views.ClusterView) (frameworkruntime.Registry, config.KubeSchedulerProfile, error) {
	registry := frameworkruntime.Registry{schedulerplugin.Name: plugin.Factory}
	defaults, err := latest.Default()
	if err != nil {
		return nil, config.KubeSchedulerProfile{}, fmt.Errorf("reading the scheduler's defaults: %w", err)
	}
	everyNode := int32(100) // a sample of nodes might leave out every virtual one
	profile := config.KubeSchedulerProfile{
		SchedulerName:            v1alpha1.SchedulerName,
		PercentageOfNodesToScore: &everyNode,
		Plugins:                  &config.Plugins{},
		PluginConfig:             defaults.Profiles[0].PluginConfig,
	}
	enabled := profile.Plugins
	enable(&enabled.PreEnqueue, names.SchedulingGates)
	enable(&enabled.QueueSort, names.PrioritySort)
	enable(&enabled.Filter, names.NodeName, names.NodeUnschedulable)
	factories := plugins.NewInTreeRegistry()
	for _, p := range inTree {
		registry[views.Prefix+p.name] = views.LocalOnly(p.name, factories[p.name])
		if p.clustered {
			registry[views.Prefix+p.name] = views.ByView(p.name, factories[p.name], view)
		}
		profile.PluginConfig = append(profile.PluginConfig, renamed(profile.PluginConfig, p.name)...)
		enableAt(enabled, p.points, views.Prefix+p.name)
	}
	for _, set := range []*config.PluginSet{&enabled.PreFilter, &enabled.Filter, &enabled.PreScore, &enabled.Reserve, &enabled.PreBind, &enabled.Bind} {
		enable(set, schedulerplugin.Name)
	}
	enabled.Score.Enabled = []config.Plugin{{Name: schedulerplugin.Name, Weight: 1}}
	enable(&enabled.PostFilter, names.DefaultPreemption)
	return registry, profile, nil
}

func enableAt(enabled *config.Plugins, points point, name string) {
	if points&preFilter != 0 {
		enable(&enabled.PreFilter, name)
	}
	if points&filter != 0 {
		enable(&enabled.Filter, name)
	}
	if points&binding != 0 {
		enable(&enabled.Reserve, name)
		enable(&enabled.PreBind, name)
	}
}

func enable(set *config.PluginSet, plugins ...string) {
	for _, name := range plugins {
		set.Enabled = append(set.Enabled, config.Plugin{Name: name})
	}
}

// renamed gives a wrapped plugin the arguments of the one inside.
func renamed(all []config.PluginConfig, name string) []config.PluginConfig {
	for _, c := range all {
		if c.Name == name {
			return []config.PluginConfig{{Name: views.Prefix + name, Args: c.Args}}
		}
	}
	return nil
}
