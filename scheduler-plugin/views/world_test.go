package views_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/latest"
	schedulercache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	"k8s.io/kubernetes/pkg/scheduler/metrics"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/delegate"
	"github.com/spillway-dev/spillway/scheduler-plugin/views"
)

// clusterView knows the keys that tell this world's targets apart.
func clusterView(pod *corev1.Pod, _ []fwk.NodeInfo) *corev1.Pod {
	return delegate.ClusterView(pod, isClusterKey)
}

func isClusterKey(key string) bool {
	return key == v1alpha1.LabelTarget || key == corev1.LabelTopologyRegion
}

// machineSpread is what the profile uses: the spreads that are not about targets.
func machineSpread(pod *corev1.Pod, _ []fwk.NodeInfo) *corev1.Pod {
	view := *pod
	view.Spec.TopologySpreadConstraints = nil
	for _, c := range pod.Spec.TopologySpreadConstraints {
		if c.TopologyKey != v1alpha1.LabelTarget && c.TopologyKey != corev1.LabelTopologyRegion {
			view.Spec.TopologySpreadConstraints = append(view.Spec.TopologySpreadConstraints, c)
		}
	}
	return &view
}

// newFramework has the wrapped plugins and nothing else.
func newFramework(t *testing.T, nodes []*corev1.Node, pods []*corev1.Pod) framework.Framework {
	t.Helper()
	metrics.Register()
	defaults, err := latest.Default()
	require.NoError(t, err)
	factories := plugins.NewInTreeRegistry()
	registry := plugins.NewInTreeRegistry()
	profile := &config.KubeSchedulerProfile{SchedulerName: "test", Plugins: &config.Plugins{}}
	profile.Plugins.QueueSort.Enabled = []config.Plugin{{Name: names.PrioritySort}}
	profile.Plugins.Bind.Enabled = []config.Plugin{{Name: names.DefaultBinder}}
	for _, name := range []string{names.NodeAffinity, names.TaintToleration, names.PodTopologySpread, names.InterPodAffinity,
		names.NodeResourcesFit, names.NodePorts} {
		registry[views.Prefix+name] = views.LocalOnly(name, factories[name])
		switch name {
		case names.PodTopologySpread:
			registry[views.Prefix+name] = views.Split(name, factories[name], machineSpread, clusterView)
		case names.NodeAffinity:
			registry[views.Prefix+name] = views.ScoredByView(name, factories[name], clusterView)
		case names.TaintToleration:
			registry[views.Prefix+name] = views.Overlooking(name, factories[name], clusterView, delegate.OverlookHealth)
		case names.InterPodAffinity:
			registry[views.Prefix+name] = views.ByView(name, factories[name], clusterView, func() func(string) bool { return isClusterKey })
		}
		enabled := config.Plugin{Name: views.Prefix + name}
		profile.Plugins.PreFilter.Enabled = append(profile.Plugins.PreFilter.Enabled, enabled)
		profile.Plugins.Filter.Enabled = append(profile.Plugins.Filter.Enabled, enabled)
		for _, c := range defaults.Profiles[0].PluginConfig {
			if c.Name == name {
				profile.PluginConfig = append(profile.PluginConfig, config.PluginConfig{Name: views.Prefix + name, Args: c.Args})
			}
		}
	}
	client := fake.NewClientset()
	f, err := frameworkruntime.NewFramework(t.Context(), registry, profile,
		frameworkruntime.WithClientSet(client),
		frameworkruntime.WithInformerFactory(informers.NewSharedInformerFactory(client, 0)),
		frameworkruntime.WithSnapshotSharedLister(schedulercache.NewSnapshot(pods, nodes)))
	require.NoError(t, err)
	return f
}

// outcome is what the views say of one pod: why not, by node ("" when it may), and the local refusals as recorded.
type outcome struct {
	reasons map[string]string
	local   string
}

func ask(t *testing.T, nodes []*corev1.Node, others []*corev1.Pod, pod *corev1.Pod) outcome {
	t.Helper()
	f := newFramework(t, nodes, others)
	state := framework.NewCycleState()
	result, status, _ := f.RunPreFilterPlugins(t.Context(), state, pod)
	require.True(t, status.IsSuccess(), "no view may refuse the other view's nodes: %v", status)
	require.True(t, result.AllNodes(), "no view may hide the other view's nodes")
	list, err := f.SnapshotSharedLister().NodeInfos().List()
	require.NoError(t, err)
	got := outcome{reasons: map[string]string{}}
	for _, info := range list {
		status := f.RunFilterPlugins(t.Context(), state, pod, info)
		require.NotEqual(t, fwk.Error, status.Code(), "%v", status)
		got.reasons[info.Node().Name] = status.Message()
	}
	got.local = views.CountRefusals(views.LocalRefusals(state))
	return got
}

func (o outcome) feasible() []string {
	var list []string
	for _, name := range []string{"worker-a", "worker-b", "spillway-cloud", "spillway-heata"} {
		if reason, ok := o.reasons[name]; ok && reason == "" {
			list = append(list, name)
		}
	}
	return list
}

// world is two local nodes and two virtual ones, which are much too small by what they say, and tainted.
func world() []*corev1.Node {
	taint := corev1.Taint{Key: v1alpha1.TaintProvider, Value: v1alpha1.TaintProviderValue, Effect: corev1.TaintEffectNoSchedule}
	virtual := func(target, region string) *corev1.Node {
		n := node(v1alpha1.VirtualNodeName(target), region, "1")
		n.Labels[v1alpha1.LabelTarget] = target
		n.Spec.Taints = []corev1.Taint{taint}
		return n
	}
	return []*corev1.Node{node("worker-a", "home", "4"), node("worker-b", "home", "4"), virtual("cloud", "eu"), virtual("heata", "uk")}
}

func node(name, region, cpu string) *corev1.Node {
	room := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse("16Gi"),
		corev1.ResourcePods: resource.MustParse("110")}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name, corev1.LabelTopologyRegion: region}},
		Status:     corev1.NodeStatus{Capacity: room, Allocatable: room},
	}
}

func pod(name, cpu string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name), Labels: map[string]string{"app": "web"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}}}}},
	}
	for _, do := range change {
		do(p)
	}
	return p
}

func on(node string) func(*corev1.Pod) { return func(p *corev1.Pod) { p.Spec.NodeName = node } }
