package dryrun

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/noderesources"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
)

// resourcesFit is the in-tree plugin with a short way to its answers. The in-tree one allocates a list of what is missing
// before it knows that anything is: over 10,000 nodes that was most of a look's garbage, and its collection made the slowest
// looks four times as slow as the median. The words of each no are still the in-tree plugin's.
type resourcesFit struct {
	*noderesources.Fit
}

// withShortWay wraps the factory of the in-tree plugin.
func withShortWay(inTree frameworkruntime.PluginFactory) frameworkruntime.PluginFactory {
	return func(ctx context.Context, args runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
		plugin, err := inTree(ctx, args, handle)
		if err != nil {
			return nil, err
		}
		return &resourcesFit{Fit: plugin.(*noderesources.Fit)}, nil
	}
}

var _ fwk.FilterPlugin = (*resourcesFit)(nil)

// Filter takes the node that has room for the need in the cycle's state. A node that lacks what another one lacked gets
// its answer, which depends on nothing else; for the others the in-tree plugin is asked.
func (f *resourcesFit) Filter(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, node fwk.NodeInfo) *fwk.Status {
	found, err := state.Read(needKey)
	if err != nil {
		return f.Fit.Filter(ctx, state, pod, node)
	}
	asked := found.(*asked)
	lack, plain := asked.need.lackOf(node)
	if !plain {
		return f.Fit.Filter(ctx, state, pod, node)
	}
	if lack == (lacks{}) {
		return nil
	}
	status, ok := asked.answers[lack]
	if !ok {
		status = f.Fit.Filter(ctx, state, pod, node)
		asked.answers[lack] = status
	}
	return status
}

// asked is a need, and what the in-tree plugin has said of nodes that lack some of it.
type asked struct {
	need    need
	answers map[lacks]*fwk.Status
}

const needKey fwk.StateKey = "spillway.dev/need"

var _ fwk.StateData = (*asked)(nil)

// Clone returns itself: the need is never changed, and the answers hold for every state.
func (a *asked) Clone() fwk.StateData { return a }

// lacks says of pods, CPU, memory and ephemeral storage whether a node has too little of it left.
type lacks [4]lack

type lack byte

const (
	enough lack = iota
	short       // for what runs there
	never       // even if nothing ran there
)

// lackOf compares; plain is false where another resource is short, of which only the in-tree plugin knows all.
func (n *need) lackOf(node fwk.NodeInfo) (l lacks, plain bool) {
	has, used := node.GetAllocatable(), node.GetRequested()
	for _, s := range n.scalars {
		if s.pieces > max(0, has.GetScalarResources()[s.name]-used.GetScalarResources()[s.name]) {
			return lacks{}, false
		}
	}
	if len(node.GetPods())+1 > has.GetAllowedPodNumber() {
		l[0] = short
	}
	l[1] = lackIn(n.milliCPU, has.GetMilliCPU(), used.GetMilliCPU())
	l[2] = lackIn(n.memory, has.GetMemory(), used.GetMemory())
	l[3] = lackIn(n.ephemeral, has.GetEphemeralStorage(), used.GetEphemeralStorage())
	return l, true
}

func lackIn(need, has, used int64) lack {
	switch {
	case need == 0 || need <= has-used:
		return enough
	case need <= has:
		return short
	}
	return never
}
