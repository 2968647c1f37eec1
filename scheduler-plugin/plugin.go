// Package schedulerplugin is the one scheduler plugin that knows the targets. A pod of the profile "spillway" comes in;
// out comes a binding, to a local node or to a virtual node whose target has already scheduled the pod's delegate.
//
// One file per extension point, in the order in which the framework calls them:
//
//	prefilter.go  who may go where: election, policy
//	filter.go     does it really fit: limits, and a dry run of the target's own scheduling, in memory
//	postfilter.go keep a pod that fits nowhere, to be woken (waiting.go) when a target changes
//	score.go      cost, carbon and capacity of every feasible place
//	reserve.go    take the room, so that the next pod sees less; and give it back
//	prebind.go    ship what the pod needs, create the delegate, wait until the target has scheduled it
//	bind.go       bind, with the placement's record in the binding's annotations
//
// Nothing before PreBind waits for the network: those run one pod at a time. What outlives a cycle is beside them:
//
//	shape.go, batch.go                    pods that are alike are answered and recorded alike
//	waiting.go, news.go, events.go        who sleeps, and what wakes it
//	refusals.go, answers.go, gates.go     what a target refused, and who may ask it again
//	losses.go, outcomes.go                targets that delete what they are sent
//	fences.go, marks.go, sends.go         delegates that nobody could confirm gone, or that are on their way
//	inherited.go, tied.go                 what an earlier process left
//	growth.go                             targets that make nodes on demand
//	group*.go                             pods that go together
//	homes.go, preempt.go, closed.go       where an owner's pods are; who evicts before it bursts; cordons
//	review.go                             cycles that only ask
package schedulerplugin

import (
	"context"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/utils/clock"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
	"github.com/spillway-dev/spillway/pkg/target"
	"github.com/spillway-dev/spillway/scheduler-plugin/dryrun"
	"github.com/spillway-dev/spillway/scheduler-plugin/groups"
)

// Name of the plugin.
const Name = "Spillway"

// PolicySource finds the policy of a pod.
type PolicySource interface {
	For(pod *corev1.Pod) (*placement.Policy, error)
}

// Follower ships what a pod references to a target.
type Follower interface {
	Ensure(ctx context.Context, t *target.Target, namespace string, pod *corev1.Pod) error
	Release(ctx context.Context, t *target.Target, namespace string, uid types.UID)
}

// Namespaces tells a source namespace's labels, from a cache.
type Namespaces func(name string) (labels.Set, bool)

// Options of the plugin.
type Options struct {
	SourceCluster string
	Registry      *target.Registry
	Policies      PolicySource
	Follow        Follower
	Namespaces    Namespaces
	Aliases       bool // accept the annotations and labels of other projects' guides
	Clock         clock.PassiveClock
	Recorder      events.EventRecorder // of events about Targets
}

// Plugin is the scheduler plugin. It listens to the registry, to dry-run each target.
type Plugin struct {
	Options
	handle    fwk.Handle
	refusals  *refusals
	fences    *fences
	groups    *grouping // from Factory on
	sends     *sends
	inherited inherited
	gates     *gates
	losses    *losses
	waiting   *waiting
	batch     batch
	homes     *homes
	cleared   *cleared

	mu    sync.RWMutex
	rooms map[string]*room // by target name
}

// room is a target and its dry run.
type room struct {
	target *target.Target
	dryrun *dryrun.Cluster
	growth *growth
}

// New returns the plugin; it must be added to the registry as a listener before the first target.
func New(o Options) *Plugin {
	p := &Plugin{Options: o, refusals: newRefusals(o.Clock), gates: newGates(o.Clock), losses: newLosses(o.Clock), fences: newFences(), sends: newSends(),
		homes: newHomes(o.Clock), cleared: newCleared(o.Clock), rooms: map[string]*room{}}
	p.waiting = newWaiting(clock.RealClock{}, p.relent, p.activate)
	return p
}

// Factory hands the plugin to the scheduler, which makes it part of its profile.
func (p *Plugin) Factory(ctx context.Context, _ runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
	p.handle = handle
	if err := p.watchSource(handle.SharedInformerFactory()); err != nil {
		return nil, err
	}
	return p, p.watchGroups(ctx, handle)
}

var (
	_ fwk.PreFilterPlugin   = (*Plugin)(nil)
	_ fwk.FilterPlugin      = (*Plugin)(nil)
	_ fwk.PostFilterPlugin  = (*Plugin)(nil)
	_ fwk.PreScorePlugin    = (*Plugin)(nil)
	_ fwk.ScorePlugin       = (*Plugin)(nil)
	_ fwk.ReservePlugin     = (*Plugin)(nil)
	_ fwk.PreBindPlugin     = (*Plugin)(nil)
	_ fwk.BindPlugin        = (*Plugin)(nil)
	_ fwk.EnqueueExtensions = (*Plugin)(nil)
	_ fwk.SignPlugin        = (*Plugin)(nil)
	_ target.Listener       = (*Plugin)(nil)
	_ target.ChangeListener = (*Plugin)(nil)
	_ dryrun.Source         = (*target.Target)(nil)
)

// Name of the plugin.
func (p *Plugin) Name() string { return Name }

// SignPod adds to the pod's signature what this plugin looks at: two pods of one signature are placed alike.
func (p *Plugin) SignPod(_ context.Context, pod *corev1.Pod) ([]fwk.SignFragment, *fwk.Status) {
	if asked, _ := groups.Of(pod); asked != nil {
		return nil, fwk.NewStatus(fwk.Unschedulable) // each has a role of its own
	}
	digest := shapeOf(pod)
	return []fwk.SignFragment{
		{Key: "spillway.dev/shape", Value: digest[:]},
		{Key: "spillway.dev/elected", Value: p.mayLeave(pod)},
		{Key: "spillway.dev/owner", Value: ownerOf(pod)},
	}, nil
}

// TargetAdded prepares the dry run of a target.
func (p *Plugin) TargetAdded(t *target.Target) {
	d, err := dryrun.New(context.Background(), t) // ended by Close
	if err != nil {
		klog.Background().Error(err, "target cannot be used", "target", t.Name())
		return
	}
	p.listen(t, d)
	t.OnOpen(func() { p.waiting.tell(t.Name(), changed) })
	g := newGrowth()
	g.watch(t, func() { p.waiting.tell(t.Name(), freed) })
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rooms[t.Name()] = &room{target: t, dryrun: d, growth: g}
}

// TargetRemoved ends it.
func (p *Plugin) TargetRemoved(t *target.Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := p.rooms[t.Name()]; r != nil && r.target == t {
		r.dryrun.Close()
		delete(p.rooms, t.Name())
	}
	p.refusals.dropTarget(t.Name())
	p.gates.dropTarget(t.Name())
	p.losses.forget(t.Name())
	p.waiting.forget(t.Name())
}

// roomOf finds the target of a virtual node; nil when there is none any more.
func (p *Plugin) roomOf(node *corev1.Node) *room {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.rooms[node.Labels[v1alpha1.LabelTarget]]
}

// activate puts waiting pods at the front of the queue, because a target's room changed.
func (p *Plugin) activate(pods map[string]*corev1.Pod) {
	if p.handle != nil && len(pods) > 0 {
		p.handle.Activate(klog.Background(), pods)
	}
}

// roomNamed finds the target by its virtual node's name; nil when there is none any more.
func (p *Plugin) roomNamed(node string) *room {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.rooms[strings.TrimPrefix(node, v1alpha1.VirtualNodePrefix)]
}

// now is the clock's, for records.
func (p *Plugin) now() time.Time { return p.Clock.Now() }
