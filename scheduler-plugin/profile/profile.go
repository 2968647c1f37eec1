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
	"github.com/spillway-dev/spillway/pkg/delegate"
	schedulerplugin "github.com/spillway-dev/spillway/scheduler-plugin"
	"github.com/spillway-dev/spillway/scheduler-plugin/views"
)

// inTree is how the in-tree plugins take part. Their scores, with Kubernetes' own weights, choose between local nodes, and
// between targets that our plugin finds equal.
var inTree = []struct {
	name   string
	looks  look
	points point
	weight int32
}{
	{names.NodeUnschedulable, localOnly, preFilter | filter, 0}, // our plugin knows which pods a cordon concerns
	{names.TaintToleration, overlooking, preFilter | filter | score, 3},
	{names.NodeAffinity, scoredByView, preFilter | filter | score, 2},
	{names.PodTopologySpread, split, preFilter | filter | score, 2},
	{names.InterPodAffinity, byView, preFilter | filter | score, 2},
	{names.NodePorts, localOnly, preFilter | filter, 0},
	{names.NodeResourcesFit, localOnly, preFilter | filter | score, 1},
	{names.NodeResourcesBalancedAllocation, localOnly, score, 1},
	{names.ImageLocality, localOnly, score, 1},
	{names.VolumeRestrictions, localOnly, preFilter | filter, 0},
	{names.NodeVolumeLimits, localOnly, preFilter | filter, 0},
	{names.VolumeZone, localOnly, preFilter | filter, 0},
	{names.NodeDeclaredFeatures, localOnly, preFilter | filter, 0},
	{names.VolumeBinding, localOnly, preFilter | filter | binding, 0},
}

// ownWeight outweighs all in-tree scores together (12 weights of at most 100 points), so that a tier, or one point of
// ours, is never overruled.
const ownWeight = 2000

// look is how a plugin looks at nodes; see views.
type look int

const (
	localOnly look = iota
	byView
	scoredByView
	overlooking
	split
)

// point is a set of extension points.
type point int

const (
	preFilter point = 1 << iota
	filter
	score
	binding
)

// build returns the wrapped plugins and the profile that uses them.
func build(plugin *schedulerplugin.Plugin, view, machine views.ClusterView, keys func() func(string) bool) (frameworkruntime.Registry, config.KubeSchedulerProfile, error) {
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
	enable(&enabled.PreEnqueue, names.SchedulingGates, preemptionName)
	enable(&enabled.QueueSort, names.PrioritySort)
	enable(&enabled.Filter, names.NodeName)
	factories := plugins.NewInTreeRegistry()
	for _, p := range inTree {
		switch p.looks {
		case byView:
			registry[views.Prefix+p.name] = views.ByView(p.name, factories[p.name], view, keys)
		case scoredByView:
			registry[views.Prefix+p.name] = views.ScoredByView(p.name, factories[p.name], view)
		case overlooking:
			registry[views.Prefix+p.name] = views.Overlooking(p.name, factories[p.name], view, delegate.OverlookHealth)
		case split:
			registry[views.Prefix+p.name] = views.Split(p.name, factories[p.name], machine, view)
		default:
			registry[views.Prefix+p.name] = views.LocalOnly(p.name, factories[p.name])
		}
		profile.PluginConfig = append(profile.PluginConfig, renamed(profile.PluginConfig, p.name, views.Prefix+p.name)...)
		enableAt(enabled, p.points, views.Prefix+p.name, p.weight)
	}
	for _, set := range []*config.PluginSet{&enabled.PreFilter, &enabled.Filter, &enabled.PreScore, &enabled.Reserve, &enabled.PreBind, &enabled.Bind} {
		enable(set, schedulerplugin.Name)
	}
	enabled.Score.Enabled = append(enabled.Score.Enabled, config.Plugin{Name: schedulerplugin.Name, Weight: ownWeight})
	registry[preemptionName] = newPreemption(plugin, factories[names.DefaultPreemption])
	profile.PluginConfig = append(profile.PluginConfig, renamed(profile.PluginConfig, names.DefaultPreemption, preemptionName)...)
	enable(&enabled.PostFilter, preemptionName)
	return registry, profile, nil
}

func enableAt(enabled *config.Plugins, points point, name string, weight int32) {
	if points&preFilter != 0 {
		enable(&enabled.PreFilter, name)
	}
	if points&filter != 0 {
		enable(&enabled.Filter, name)
	}
	if points&score != 0 {
		enable(&enabled.PreScore, name)
		enabled.Score.Enabled = append(enabled.Score.Enabled, config.Plugin{Name: name, Weight: weight})
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
func renamed(all []config.PluginConfig, name, to string) []config.PluginConfig {
	for _, c := range all {
		if c.Name == name {
			return []config.PluginConfig{{Name: to, Args: c.Args}}
		}
	}
	return nil
}
