package profile

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/target"
	schedulerplugin "github.com/spillway-dev/spillway/scheduler-plugin"
	"github.com/spillway-dev/spillway/scheduler-plugin/policies"
)

func newPlugin(registry *target.Registry) *schedulerplugin.Plugin {
	return schedulerplugin.New(schedulerplugin.Options{SourceCluster: "here", Registry: registry, Policies: policies.NewStore(),
		Clock: clocktesting.NewFakePassiveClock(time.Unix(0, 0))})
}

func TestThisKubernetesVersionHasEveryPluginOfTheProfile(t *testing.T) {
	known := plugins.NewInTreeRegistry()
	for _, p := range inTree {
		assert.Contains(t, known, p.name)
	}
}

// The scheduler itself builds the framework, which checks that each plugin implements what it is enabled for.
func TestTheSchedulerCanBeBuiltFromTheProfile(t *testing.T) {
	client, registry := fake.NewClientset(), &target.Registry{}
	s, err := New(t.Context(), client, dynamicfake.NewSimpleDynamicClient(runtime.NewScheme()), NewInformers(client), newPlugin(registry), registry)
	require.NoError(t, err)
	require.Len(t, s.Profiles, 1)
	f := s.Profiles[v1alpha1.SchedulerName]
	require.NotNil(t, f)
	assert.EqualValues(t, 100, *f.PercentageOfNodesToScore(), "a sample of nodes might leave out every virtual one")

	got := f.ListPlugins()
	views := []string{"ViewNodeUnschedulable", "ViewTaintToleration", "ViewNodeAffinity", "ViewPodTopologySpread", "ViewInterPodAffinity", "ViewNodePorts",
		"ViewNodeResourcesFit", "ViewVolumeRestrictions", "ViewNodeVolumeLimits", "ViewVolumeZone", "ViewNodeDeclaredFeatures", "ViewVolumeBinding"}
	scores := []string{"ViewTaintToleration", "ViewNodeAffinity", "ViewPodTopologySpread", "ViewInterPodAffinity", "ViewNodeResourcesFit",
		"ViewNodeResourcesBalancedAllocation", "ViewImageLocality"}
	want := map[string][]string{
		"PreFilter": append(views[:len(views):len(views)], schedulerplugin.Name),
		"Filter":    append(append([]string{"NodeName"}, views...), schedulerplugin.Name),
		"PreScore":  append(scores[:len(scores):len(scores)], schedulerplugin.Name),
		"Score":     append(scores[:len(scores):len(scores)], schedulerplugin.Name),
		"Reserve":   {"ViewVolumeBinding", schedulerplugin.Name},
		"PreBind":   {"ViewVolumeBinding", schedulerplugin.Name},
		"Bind":      {schedulerplugin.Name},
	}
	for point, names := range want {
		assert.Empty(t, cmp.Diff(names, namesOf(pluginSet(got, point))), point)
	}
}

func TestAViewKeepsTheArgumentsOfThePluginInside(t *testing.T) {
	_, spillway, err := build(newPlugin(&target.Registry{}), clusterView(&target.Registry{}), machineSpread(&target.Registry{}), nil)
	require.NoError(t, err)
	args := map[string]runtime.Object{}
	for _, c := range spillway.PluginConfig {
		assert.NotContains(t, args, c.Name, "the framework refuses a second configuration")
		args[c.Name] = c.Args
	}
	for _, name := range []string{"NodeAffinity", "NodeResourcesFit", "PodTopologySpread", "InterPodAffinity", "VolumeBinding"} {
		require.Contains(t, args, name)
		assert.Same(t, args[name], args["View"+name])
	}
}

func TestByPlace(t *testing.T) {
	rejected := func(reasons ...string) *fwk.Status { return fwk.NewStatus(fwk.Unschedulable, reasons...) }
	tests := map[string]struct {
		statuses map[string]*fwk.Status
		want     string
	}{
		"local nodes are counted together": {
			statuses: map[string]*fwk.Status{"worker-a": rejected("Insufficient cpu"), "worker-b": rejected("Insufficient cpu", "Insufficient memory")},
			want:     "local: 1 Insufficient memory, 2 Insufficient cpu"},
		"a target's name stands once before its reason": {
			statuses: map[string]*fwk.Status{"spillway-cloud": rejected("cloud: 4 Insufficient cpu")}, want: "cloud: 4 Insufficient cpu"},
		"a view's reason gets the target's name too": {
			statuses: map[string]*fwk.Status{"spillway-cloud": rejected("node(s) had untolerated taint(s)")}, want: "cloud: node(s) had untolerated taint(s)"},
		"targets of one reason are named together, and local comes last": {
			statuses: map[string]*fwk.Status{"spillway-heata": rejected("heata: 2 Insufficient cpu"), "spillway-cloud": rejected("cloud: 2 Insufficient cpu"),
				"spillway-spot": rejected("spot: target unreachable: no route"), "worker-a": rejected("Insufficient cpu")},
			want: "cloud, heata: 2 Insufficient cpu; spot: target unreachable: no route; local: 1 Insufficient cpu"},
		"of many targets with one reason three are named": {
			statuses: map[string]*fwk.Status{"spillway-a": rejected("full"), "spillway-b": rejected("full"), "spillway-c": rejected("full"),
				"spillway-d": rejected("full"), "spillway-e": rejected("full"), "spillway-aa": rejected("dear")},
			want: "a, b, c and 2 more: full; aa: dear"},
		"no nodes, no words": {},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, byPlace(framework.NewNodeToStatus(test.statuses, nil)))
		})
	}
}

func TestTheClusterViewWithoutTargetsKnowsOnlyTheTargetsLabel(t *testing.T) {
	pod := &corev1.Pod{Spec: corev1.PodSpec{NodeSelector: map[string]string{v1alpha1.LabelTarget: "cloud", "gpu": "a100"}}}
	view := clusterView(&target.Registry{})(pod, nil)
	assert.Equal(t, map[string]string{v1alpha1.LabelTarget: "cloud"}, view.Spec.NodeSelector)
	assert.Len(t, pod.Spec.NodeSelector, 2, "the pod itself is never rewritten")
}

func pluginSet(p *config.Plugins, point string) config.PluginSet {
	return map[string]config.PluginSet{"PreFilter": p.PreFilter, "Filter": p.Filter, "PreScore": p.PreScore, "Score": p.Score,
		"Reserve": p.Reserve, "PreBind": p.PreBind, "Bind": p.Bind}[point]
}

func namesOf(set config.PluginSet) []string {
	var list []string
	for _, p := range set.Enabled {
		list = append(list, p.Name)
	}
	return list
}
