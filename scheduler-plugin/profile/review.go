package profile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	schedulercache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"

	"github.com/spillway-dev/spillway/pkg/placement"
	schedulerplugin "github.com/spillway-dev/spillway/scheduler-plugin"
)

// ErrNotRunning is the answer of a scheduler that has not read the cluster yet.
var ErrNotRunning = errors.New("the scheduler has not read the cluster yet")

// Reviewer runs the profile's deciding plugins for one pod at a time, beside the scheduler: a second framework over a copy
// of what the scheduler knows, so that a question neither delays a pod nor leaves a trace.
type Reviewer struct {
	mu        sync.Mutex
	scheduler *Scheduler
	plugin    *schedulerplugin.Plugin
	framework framework.Framework
	snapshot  *snapshot
	running   atomic.Bool
}

// newReviewer must be called before the informers are started: plugins register with them.
func newReviewer(ctx context.Context, client kubernetes.Interface, factory informers.SharedInformerFactory, s *Scheduler,
	plugin *schedulerplugin.Plugin, registry frameworkruntime.Registry, spillway config.KubeSchedulerProfile) (*Reviewer, error) {
	r := &Reviewer{scheduler: s, plugin: plugin, snapshot: &snapshot{Snapshot: schedulercache.NewEmptySnapshot()}}
	all := plugins.NewInTreeRegistry()
	for name, factory := range registry {
		all[name] = factory
	}
	all[schedulerplugin.Name] = plugin.ReviewFactory
	profile, ours := onlyDeciding(spillway), s.Profiles[spillway.SchedulerName]
	var err error
	r.framework, err = frameworkruntime.NewFramework(ctx, all, &profile,
		frameworkruntime.WithClientSet(client),
		frameworkruntime.WithInformerFactory(factory),
		frameworkruntime.WithSnapshotSharedLister(r.snapshot),
		frameworkruntime.WithPodNominator(s.SchedulingQueue),
		frameworkruntime.WithSharedDRAManager(ours.SharedDRAManager()),
		frameworkruntime.WithSharedCSIManager(ours.SharedCSIManager()),
		frameworkruntime.WithPodGroupManager(s.Cache),
	)
	if err != nil {
		return nil, fmt.Errorf("preparing reviews: %w", err)
	}
	return r, nil
}

// onlyDeciding leaves out what acts. The framework insists on a way to bind, which is never used.
func onlyDeciding(spillway config.KubeSchedulerProfile) config.KubeSchedulerProfile {
	profile := spillway
	profile.SchedulerName += "-review" // the scheduler's metrics count its own cycles
	profile.Plugins = &config.Plugins{
		QueueSort: spillway.Plugins.QueueSort,
		PreFilter: spillway.Plugins.PreFilter,
		Filter:    spillway.Plugins.Filter,
		PreScore:  spillway.Plugins.PreScore,
		Score:     spillway.Plugins.Score,
	}
	enable(&profile.Plugins.Bind, names.DefaultBinder)
	return profile
}

// Places are what a review may suppose to be down.
func (r *Reviewer) Places() []string { return r.plugin.Places() }

// MayLeave says why a pod may not leave the source; "" when it may.
func (r *Reviewer) MayLeave(pod *corev1.Pod) string { return r.plugin.MayLeave(pod) }

// Review says where a pod would go now, and what was considered; the record names no node when nothing fits. A pod that is
// refused as such, whatever the place, has a record without places and the reason. The error is ErrNotRunning, or that of
// a plugin.
func (r *Reviewer) Review(ctx context.Context, pod *corev1.Pod, w schedulerplugin.WhatIf) (placement.Record, string, error) {
	if !r.running.Load() {
		return placement.Record{}, "", ErrNotRunning
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.snapshot.take(r.scheduler.Cache, pod.UID)
	state := framework.NewCycleState()
	w.Begin(state)
	if _, status, _ := r.framework.RunPreFilterPlugins(ctx, state, pod); status.IsRejected() {
		return placement.Record{}, status.Message(), nil
	} else if !status.IsSuccess() {
		return placement.Record{}, "", status.AsError()
	}
	feasible, refused, err := r.filter(ctx, state, pod)
	if err != nil {
		return placement.Record{}, "", err
	}
	winner, err := r.best(ctx, state, pod, feasible)
	if err != nil {
		return placement.Record{}, "", err
	}
	record, err := r.plugin.Placement(state, winner, refused)
	return record, "", err
}

func (r *Reviewer) filter(ctx context.Context, state fwk.CycleState, pod *corev1.Pod) (feasible []fwk.NodeInfo, refused map[string]*fwk.Status, err error) {
	nodes, err := r.snapshot.NodeInfos().List()
	if err != nil {
		return nil, nil, err
	}
	refused = map[string]*fwk.Status{}
	for _, node := range nodes {
		switch status := r.framework.RunFilterPluginsWithNominatedPods(ctx, state, pod, node); {
		case status.IsSuccess():
			feasible = append(feasible, node)
		case status.IsRejected():
			refused[node.Node().Name] = status
		default:
			return nil, nil, status.AsError()
		}
	}
	return feasible, refused, nil
}

// best is the node of the highest score; among equals, where the scheduler draws lots, the first by name.
func (r *Reviewer) best(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, feasible []fwk.NodeInfo) (string, error) {
	if len(feasible) == 0 {
		return "", nil
	}
	if status := r.framework.RunPreScorePlugins(ctx, state, pod, feasible); !status.IsSuccess() {
		return "", status.AsError()
	}
	scores, status := r.framework.RunScorePlugins(ctx, state, pod, feasible)
	if !status.IsSuccess() {
		return "", status.AsError()
	}
	return slices.MinFunc(scores, func(a, b fwk.NodePluginScores) int {
		return cmp.Or(cmp.Compare(b.TotalScore, a.TotalScore), cmp.Compare(a.Name, b.Name))
	}).Name, nil
}

// snapshot is what the second framework sees; plugins keep it, so it changes inside.
type snapshot struct{ *schedulercache.Snapshot }

// take copies the scheduler's cache, without the pod that is asked about. A second Snapshot of the same cache would be
// cheaper, but the cache hands the changes of its count of volume claims to whichever snapshot asks first: the scheduler
// would miss some.
func (s *snapshot) take(cache schedulercache.Cache, without types.UID) {
	var nodes []*corev1.Node
	var pods []*corev1.Pod
	for _, info := range cache.Dump().Nodes {
		if info.Node() == nil {
			continue // it is gone, and pods on it are not
		}
		nodes = append(nodes, info.Node())
		for _, pod := range info.GetPods() {
			if pod.GetPod().UID != without {
				pods = append(pods, pod.GetPod())
			}
		}
	}
	s.Snapshot = schedulercache.NewSnapshot(pods, nodes)
}
