package profile

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"

	schedulerplugin "github.com/spillway-dev/spillway/scheduler-plugin"
)

// preemptionName differs from the in-tree plugin's, because a registry has each name once.
const preemptionName = schedulerplugin.Name + names.DefaultPreemption

// inTreePreemption is what the in-tree plugin does.
type inTreePreemption interface {
	fwk.PostFilterPlugin
	fwk.PodGroupPostFilterPlugin
	fwk.PreEnqueuePlugin
	fwk.EnqueueExtensions
}

// preemption is the in-tree plugin, whose failures our plugin hears of: by some policies a pod bursts only when there is
// nobody to evict.
type preemption struct {
	inTreePreemption
	plugin *schedulerplugin.Plugin
}

func newPreemption(plugin *schedulerplugin.Plugin, factory frameworkruntime.PluginFactory) frameworkruntime.PluginFactory {
	return func(ctx context.Context, args runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
		inner, err := factory(ctx, args, handle)
		if err != nil {
			return nil, err
		}
		return &preemption{inTreePreemption: inner.(inTreePreemption), plugin: plugin}, nil
	}
}

// Name of the wrapped plugin.
func (p *preemption) Name() string { return preemptionName }

// PostFilter is the in-tree plugin's. When it found no candidate it takes back an earlier nomination; when it only waits for
// its victims to go, it has no result.
func (p *preemption) PostFilter(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, statuses fwk.NodeToStatusReader) (*fwk.PostFilterResult, *fwk.Status) {
	result, status := p.inTreePreemption.PostFilter(ctx, state, pod, statuses)
	if status.IsRejected() && result != nil && result.NominatingInfo != nil && result.NominatedNodeName == "" {
		p.plugin.NobodyToEvict(state, pod)
	}
	return result, status
}

var _ inTreePreemption = (*preemption)(nil)
