package schedulerplugin

import (
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/delegate"
	"github.com/spillway-dev/spillway/pkg/placement"
)

// inherited is what an earlier process, which may have crashed, leaves unknown: which of the pods that wait have a delegate
// in a target that could not be read since. Such a pod waits for the target, because elsewhere it might run twice.
type inherited struct {
	mu     sync.Mutex
	pods   map[types.UID]bool // that waited for a place when this process began to lead
	unread []*v1alpha1.Target
}

// Inherit takes over the pods that waited for a place when this process began to lead. Later ones cannot have been sent
// by an earlier process. It must be called before the scheduler runs.
func (p *Plugin) Inherit(pods []types.UID) {
	p.inherited.mu.Lock()
	defer p.inherited.mu.Unlock()
	p.inherited.pods = make(map[types.UID]bool, len(pods))
	for _, uid := range pods {
		p.inherited.pods[uid] = true
	}
}

// SetUnread replaces the Targets that this process has not read yet, and lets the pods go on that waited for one that it
// now has read, or that is gone.
func (p *Plugin) SetUnread(targets []*v1alpha1.Target) {
	p.inherited.mu.Lock()
	read := slices.ContainsFunc(p.inherited.unread, func(t *v1alpha1.Target) bool { return !named(targets, t.Name) })
	p.inherited.unread = targets
	if len(targets) == 0 {
		p.inherited.pods = nil
	}
	p.inherited.mu.Unlock()
	if read {
		p.Reconsider()
	}
}

func named(targets []*v1alpha1.Target, name string) bool {
	return slices.ContainsFunc(targets, func(t *v1alpha1.Target) bool { return t.Name == name })
}

// unreadFor are the Targets that may have a delegate of a pod for all that is known; none for a pod that came later.
func (i *inherited) unreadFor(pod types.UID) []*v1alpha1.Target {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.pods[pod] {
		return nil
	}
	return i.unread
}

// held says why a pod has to wait for a target that may have a delegate of it, and could not be read yet; "" when it is free.
func (p *Plugin) held(pod *corev1.Pod, policy *placement.Policy, nodes []fwk.NodeInfo) string {
	for _, t := range p.inherited.unreadFor(pod.UID) {
		if slices.Contains(marks(pod), t.Name) || t.Status.Sending && p.mayHaveGone(pod, policy, t, nodes) {
			return fmt.Sprintf(reasonHeld, t.Name, p.whyUnread(t.Name))
		}
	}
	return ""
}

// mayHaveGone tells whether the pod could have been sent there. What the Target, the namespace and the policy say now, they
// are taken to have said then.
func (p *Plugin) mayHaveGone(pod *corev1.Pod, policy *placement.Policy, t *v1alpha1.Target, nodes []fwk.NodeInfo) bool {
	if p.namespaceNotFor(&t.Spec, pod.Namespace) != "" {
		return false
	}
	if _, err := delegate.Draft(pod, delegate.Options{SourceCluster: p.SourceCluster, TargetName: t.Name, Target: &t.Spec}); err != nil {
		return false
	}
	for _, info := range nodes {
		if node := info.Node(); node.Name == v1alpha1.VirtualNodeName(t.Name) {
			return policy.TargetSelector.Matches(labels.Set(node.Labels))
		}
	}
	return true // without its node nobody can say
}

func (p *Plugin) whyUnread(name string) string {
	if live := p.Registry.Get(name); live != nil {
		if reason, usable := live.Usable(); !usable {
			return reason
		}
	}
	return "it has not been read since the controller started"
}
