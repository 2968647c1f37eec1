// Package views lets Kubernetes' in-tree scheduler plugins look at one pod in two ways: at a local node with the pod as
// its user wrote it, and at a virtual node either not at all or with the pod's cluster-level constraints only. (The third
// view, the delegate on the target's nodes, is the dry run's.)
//
// An in-tree plugin's factory comes in; a factory of a plugin that chooses the view by the node comes out. So a pod's
// nodeSelector on a label that only a target's nodes have does not keep it from the virtual node, and its spec is never
// rewritten.
package views

import (
	"context"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// Prefix of the names under which wrapped plugins are registered.
const Prefix = "View"

// ClusterView makes the pod that a plugin sees when it looks at a virtual node.
type ClusterView func(pod *corev1.Pod, nodes []fwk.NodeInfo) *corev1.Pod

// LocalOnly wraps an in-tree factory so that its plugin says nothing about virtual nodes.
func LocalOnly(name string, factory frameworkruntime.PluginFactory) frameworkruntime.PluginFactory {
	return wrap(name, factory, plugin{})
}

// ScoredByView wraps an in-tree factory so that its plugin filters local nodes only, and compares virtual nodes by the pod's
// cluster-level preferences. Whether a target's labels meet what the pod requires is decided with its delegate: only there
// is it known which keys this target speaks of, and which it leaves to its nodes.
func ScoredByView(name string, factory frameworkruntime.PluginFactory, view ClusterView) frameworkruntime.PluginFactory {
	return wrap(name, factory, plugin{view: view, scoreOnly: true})
}

// Overlooking wraps an in-tree factory so that its plugin sees the pod's cluster-level constraints at virtual nodes, as changed
// by overlook for this plugin alone.
func Overlooking(name string, factory frameworkruntime.PluginFactory, view ClusterView, overlook func(*corev1.Pod) *corev1.Pod) frameworkruntime.PluginFactory {
	return wrap(name, factory, plugin{view: view, overlook: overlook})
}

// ByView wraps an in-tree factory so that its plugin sees the pod's cluster-level constraints at virtual nodes. It may also go
// by the constraints of the pods on a node, which no view changes: so a virtual node shows it only the labels that
// isClusterKey knows. Its hostname is not one host, to keep others' replicas off.
func ByView(name string, factory frameworkruntime.PluginFactory, view ClusterView, isClusterKey func() func(string) bool) frameworkruntime.PluginFactory {
	return wrap(name, factory, plugin{view: view, isClusterKey: isClusterKey})
}

// Split wraps an in-tree factory whose plugin compares nodes with each other: it sees the pod's machine-level constraints
// among local nodes only, and its cluster-level constraints among all. A virtual node is one host and one zone that always
// looks empty; spreading over hosts or zones of the source must not wait for it to fill.
func Split(name string, factory frameworkruntime.PluginFactory, machine, cluster ClusterView) frameworkruntime.PluginFactory {
	return wrap(name, factory, plugin{machine: machine, view: cluster})
}

func wrap(name string, factory frameworkruntime.PluginFactory, p plugin) frameworkruntime.PluginFactory {
	return func(ctx context.Context, args runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
		inner, err := factory(ctx, args, handle)
		if err != nil {
			return nil, err
		}
		p := p // one for each profile
		p.name, p.inner = Prefix+name, inner
		if p.machine != nil {
			p.unspread = unspread(handle)
		}
		return &p, nil
	}
}

// IsVirtual tells a virtual node by the label that only Spillway sets.
func IsVirtual(node *corev1.Node) bool { return node != nil && node.Labels[v1alpha1.LabelTarget] != "" }

// plugin is one in-tree plugin seen through two views. It implements every extension point that any wrapped plugin uses;
// the profile enables it only where the inner one does something.
type plugin struct {
	name    string
	inner   fwk.Plugin
	view    ClusterView // nil: local nodes only
	machine ClusterView // nil: the pod as it is, among all nodes

	unspread  func(*corev1.Pod) bool        // of the plugin that spreads pods
	scoreOnly bool                          // virtual nodes are compared, and none is filtered
	overlook  func(*corev1.Pod) *corev1.Pod // nil: the view as all see it

	isClusterKey func() func(string) bool // nil: virtual nodes show all their labels
}

var (
	_ fwk.PreFilterPlugin   = (*plugin)(nil)
	_ fwk.FilterPlugin      = (*plugin)(nil)
	_ fwk.ReservePlugin     = (*plugin)(nil)
	_ fwk.PreBindPlugin     = (*plugin)(nil)
	_ fwk.EnqueueExtensions = (*plugin)(nil)
	_ fwk.SignPlugin        = (*plugin)(nil)
)

// EventsToRegister are the inner plugin's: what may make a local node fit.
func (p *plugin) EventsToRegister(ctx context.Context) ([]fwk.ClusterEventWithHint, error) {
	if inner, ok := p.inner.(fwk.EnqueueExtensions); ok {
		hints, err := inner.EventsToRegister(ctx)
		if p.view == nil {
			hints = aboutLocalNodes(hints)
		}
		return hints, err
	}
	return nil, nil // it only scores, so it refuses nobody
}

// Name of the wrapped plugin.
func (p *plugin) Name() string { return p.name }

// seen is what PreFilter found out for each view, for Filter to go by.
type seen struct {
	local, virtual  *fwk.Status // Skip: nothing to filter; rejected: no node of this kind fits
	localPod        *corev1.Pod
	virtualPod      *corev1.Pod
	virtualState    fwk.CycleState
	virtualFiltered bool
}

// Clone shares what is only read after PreFilter.
func (s *seen) Clone() fwk.StateData { return s }

// PreFilter asks the inner plugin once for each view. A rejection holds for the nodes of its view only.
func (p *plugin) PreFilter(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, nodes []fwk.NodeInfo) (*fwk.PreFilterResult, *fwk.Status) {
	startNotes(state)
	inner, ok := p.inner.(fwk.PreFilterPlugin)
	if !ok {
		p.keepView(state, pod, nodes)
		return nil, nil
	}
	s := &seen{localPod: pod}
	localNodes := nodes
	if p.machine != nil {
		s.localPod, localNodes = p.machine(pod, nodes), localOf(nodes)
	}
	// The nodes that the inner plugin may name are dropped: its Filter comes to the same, and they would hide virtual ones.
	_, s.local = inner.PreFilter(ctx, state, s.localPod, localNodes)
	if s.local.Code() == fwk.Error {
		return nil, s.local
	}
	if p.filtersVirtual() {
		s.virtualPod, s.virtualState, s.virtualFiltered = p.filteredPod(state, pod, nodes), framework.NewCycleState(), true
		_, s.virtual = inner.PreFilter(ctx, s.virtualState, s.virtualPod, nodes)
		if s.virtual.Code() == fwk.Error {
			return nil, s.virtual
		}
	}
	state.Write(fwk.StateKey(p.name), s)
	if s.local.IsSkip() && (!p.filtersVirtual() || s.virtual.IsSkip()) {
		return nil, fwk.NewStatus(fwk.Skip)
	}
	return nil, nil
}

const clusterPodKey fwk.StateKey = Prefix + "ClusterPod"

// clusterPod is the pod as all virtual nodes see it, kept for the cycle: every wrapped plugin looks through the same view.
type clusterPod struct{ *corev1.Pod }

// Clone shares what is only read.
func (c *clusterPod) Clone() fwk.StateData { return c }

func (p *plugin) clusterPod(state fwk.CycleState, pod *corev1.Pod, nodes []fwk.NodeInfo) *corev1.Pod {
	if kept, err := state.Read(clusterPodKey); err == nil {
		return kept.(*clusterPod).Pod
	}
	made := p.view(pod, nodes)
	state.Write(clusterPodKey, &clusterPod{made})
	return made
}

// filteredPod is the pod as this plugin's Filter sees it at virtual nodes.
func (p *plugin) filteredPod(state fwk.CycleState, pod *corev1.Pod, nodes []fwk.NodeInfo) *corev1.Pod {
	view := p.clusterPod(state, pod, nodes)
	if p.overlook != nil {
		view = p.overlook(view)
	}
	return view
}

func (p *plugin) filtersVirtual() bool { return p.view != nil && !p.scoreOnly }

// keepView prepares the view of a plugin that has no PreFilter of its own.
func (p *plugin) keepView(state fwk.CycleState, pod *corev1.Pod, nodes []fwk.NodeInfo) {
	if p.filtersVirtual() {
		state.Write(fwk.StateKey(p.name), &seen{virtualPod: p.filteredPod(state, pod, nodes), virtualState: state, virtualFiltered: true})
	}
}

// PreFilterExtensions serve preemption, which only happens on local nodes.
func (p *plugin) PreFilterExtensions() fwk.PreFilterExtensions {
	if inner, ok := p.inner.(fwk.PreFilterPlugin); ok {
		if extensions := inner.PreFilterExtensions(); extensions != nil {
			return &localExtensions{plugin: p, inner: extensions}
		}
	}
	return nil
}

// Filter asks the inner plugin with the pod that fits the kind of node.
func (p *plugin) Filter(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, node fwk.NodeInfo) *fwk.Status {
	s := p.seen(state)
	if IsVirtual(node.Node()) {
		return p.filterVirtual(ctx, s, node)
	}
	status := p.filterLocal(ctx, state, s, pod, node)
	if status.IsSuccess() && p.machine != nil {
		status = p.filterVirtual(ctx, s, node)
	}
	return note(state, node.Node().Name, status)
}

func (p *plugin) filterLocal(ctx context.Context, state fwk.CycleState, s *seen, pod *corev1.Pod, node fwk.NodeInfo) *fwk.Status {
	switch {
	case s == nil || s.localPod == nil:
		return p.inner.(fwk.FilterPlugin).Filter(ctx, state, pod, node)
	case s.local.IsSkip() || s.local.IsRejected():
		return unlessSkip(s.local)
	}
	return p.inner.(fwk.FilterPlugin).Filter(ctx, state, s.localPod, node)
}

func (p *plugin) filterVirtual(ctx context.Context, s *seen, node fwk.NodeInfo) *fwk.Status {
	switch {
	case p.view == nil || s == nil || !s.virtualFiltered:
		return nil
	case s.virtual.IsSkip() || s.virtual.IsRejected():
		return unlessSkip(s.virtual)
	}
	status := p.inner.(fwk.FilterPlugin).Filter(ctx, s.virtualState, s.virtualPod, node)
	if status.IsRejected() && p.isClusterKey != nil { // asked again, because most nodes reject nothing
		status = p.inner.(fwk.FilterPlugin).Filter(ctx, s.virtualState, s.virtualPod, onlyCluster(node, p.isClusterKey()))
	}
	return status
}

// labelled is a node that shows only some of its labels.
type labelled struct {
	fwk.NodeInfo
	node *corev1.Node
}

func (l labelled) Node() *corev1.Node { return l.node }

func onlyCluster(info fwk.NodeInfo, isClusterKey func(string) bool) fwk.NodeInfo {
	node := *info.Node()
	node.Labels = maps.Clone(node.Labels)
	maps.DeleteFunc(node.Labels, func(key, _ string) bool { return !isClusterKey(key) })
	return labelled{info, &node}
}

func localOf(nodes []fwk.NodeInfo) []fwk.NodeInfo {
	var local []fwk.NodeInfo
	for _, node := range nodes {
		if !IsVirtual(node.Node()) {
			local = append(local, node)
		}
	}
	return local
}

func (p *plugin) seen(state fwk.CycleState) *seen {
	data, err := state.Read(fwk.StateKey(p.name))
	if err != nil {
		return nil
	}
	return data.(*seen)
}

func unlessSkip(s *fwk.Status) *fwk.Status {
	if s.IsSkip() {
		return nil
	}
	return s
}
