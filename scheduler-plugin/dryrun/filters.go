package dryrun

import (
	"context"
	"fmt"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/latest"
	schedulercache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"
	"k8s.io/kubernetes/pkg/scheduler/framework/runtime"
)

// filterPlugins are the in-tree plugins that need nothing but nodes and pods. Volumes are left to the target: a delegate
// has none that exist before it does.
var filterPlugins = []string{
	names.NodeUnschedulable,
	names.TaintToleration,
	names.NodeAffinity,
	names.NodePorts,
	names.NodeResourcesFit,
	names.PodTopologySpread,
	names.InterPodAffinity,
	names.NodeDeclaredFeatures,
}

// newFilters makes a scheduling framework that only filters.
func newFilters(ctx context.Context, client kubernetes.Interface, snapshot *schedulercache.Snapshot) (framework.Framework, error) {
	profile, err := filterProfile()
	if err != nil {
		return nil, err
	}
	registry := plugins.NewInTreeRegistry()
	registry[names.NodeResourcesFit] = withShortWay(registry[names.NodeResourcesFit])
	return runtime.NewFramework(ctx, registry, profile,
		runtime.WithSnapshotSharedLister(snapshot),
		runtime.WithClientSet(client),
		// Never started: the plugins ask it for listers of namespaces and Services, which a target's rights may not cover.
		runtime.WithInformerFactory(informers.NewSharedInformerFactory(client, 0)),
	)
}

func filterProfile() (*config.KubeSchedulerProfile, error) {
	defaults, err := latest.Default()
	if err != nil {
		return nil, fmt.Errorf("reading the scheduler's defaults: %w", err)
	}
	profile := &config.KubeSchedulerProfile{
		SchedulerName: "dryrun",
		Plugins:       &config.Plugins{},
		PluginConfig:  defaults.Profiles[0].PluginConfig,
	}
	for _, plugin := range profile.PluginConfig {
		if args, ok := plugin.Args.(*config.PodTopologySpreadArgs); ok {
			args.DefaultingType = config.ListDefaulting // the target's own default spreads by Services, which are not watched
		}
	}
	for _, name := range filterPlugins {
		profile.Plugins.PreFilter.Enabled = append(profile.Plugins.PreFilter.Enabled, config.Plugin{Name: name})
		profile.Plugins.Filter.Enabled = append(profile.Plugins.Filter.Enabled, config.Plugin{Name: name})
	}
	profile.Plugins.PreFilter.Enabled = without(profile.Plugins.PreFilter.Enabled, names.NodeUnschedulable, names.TaintToleration)
	profile.Plugins.QueueSort.Enabled = []config.Plugin{{Name: names.PrioritySort}} // the framework insists on one
	profile.Plugins.Bind.Enabled = []config.Plugin{{Name: names.DefaultBinder}}     // and on this; it is never run
	return profile, nil
}

// without drops plugins that do not implement an extension point, which the framework would refuse.
func without(enabled []config.Plugin, drop ...string) []config.Plugin {
	var kept []config.Plugin
	for _, plugin := range enabled {
		keep := true
		for _, name := range drop {
			keep = keep && plugin.Name != name
		}
		if keep {
			kept = append(kept, plugin)
		}
	}
	return kept
}
