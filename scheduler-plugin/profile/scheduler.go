package profile

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/events"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/profile"

	"github.com/spillway-dev/spillway/pkg/delegate"
	"github.com/spillway-dev/spillway/pkg/target"
	schedulerplugin "github.com/spillway-dev/spillway/scheduler-plugin"
)

// Scheduler is Kubernetes' scheduler with our profile.
type Scheduler struct {
	*scheduler.Scheduler
	informers   informers.SharedInformerFactory
	dynamic     dynamicinformer.DynamicSharedInformerFactory
	broadcaster events.EventBroadcaster
}

// DisableGates switches off what our profile must not do. It must be called before New, once.
func DisableGates() error {
	// On, it PATCHes status.nominatedNodeName of each pod that passes PreBind, for autoscalers to see a pod that is about
	// to be bound; ours is bound a few milliseconds later, or goes elsewhere.
	return utilfeature.DefaultMutableFeatureGate.SetFromMap(map[string]bool{"NominatedNodeNameForExpectation": false})
}

// New prepares the scheduler. The informers come from outside, for others to share; Run starts them.
func New(ctx context.Context, client kubernetes.Interface, dynamicClient dynamic.Interface, factory informers.SharedInformerFactory,
	plugin *schedulerplugin.Plugin, registry *target.Registry) (*Scheduler, error) {
	plugins, spillway, err := build(plugin, clusterView(registry), machineSpread(registry),
		func() func(string) bool { return schedulerplugin.ClusterKeys(registry) })
	if err != nil {
		return nil, err
	}
	s := &Scheduler{
		informers:   factory,
		dynamic:     dynamicinformer.NewFilteredDynamicSharedInformerFactory(dynamicClient, 0, corev1.NamespaceAll, nil),
		broadcaster: events.NewBroadcaster(&events.EventSinkImpl{Interface: client.EventsV1()}),
	}
	s.Scheduler, err = scheduler.New(ctx, client, s.informers, s.dynamic, profile.NewRecorderFactory(s.broadcaster),
		scheduler.WithProfiles(spillway),
		scheduler.WithFrameworkOutOfTreeRegistry(plugins),
		scheduler.WithPercentageOfNodesToScore(spillway.PercentageOfNodesToScore),
		scheduler.WithPodInitialBackoffSeconds(1),
		scheduler.WithPodMaxBackoffSeconds(10),
	)
	if err != nil {
		return nil, fmt.Errorf("building the scheduler: %w", err)
	}
	s.explainByPlace(client, registry, plugin)
	return s, nil
}

// NewInformers returns the scheduler's informers of the source cluster, which leave out pods that have ended.
func NewInformers(client kubernetes.Interface) informers.SharedInformerFactory {
	return scheduler.NewInformerFactory(client, 0, nil)
}

// Run schedules until the context ends.
func (s *Scheduler) Run(ctx context.Context) error {
	if err := s.broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		return fmt.Errorf("starting to record events: %w", err)
	}
	defer s.broadcaster.Shutdown()
	s.informers.Start(ctx.Done())
	s.dynamic.Start(ctx.Done())
	s.informers.WaitForCacheSync(ctx.Done())
	s.dynamic.WaitForCacheSync(ctx.Done())
	if err := s.WaitForHandlersSync(ctx); err != nil {
		return fmt.Errorf("waiting for the scheduler's caches: %w", err)
	}
	s.Scheduler.Run(ctx)
	return nil
}

// clusterView leaves of a pod what is about targets: constraints on the labels that Targets give their virtual nodes.
func clusterView(registry *target.Registry) func(*corev1.Pod, []fwk.NodeInfo) *corev1.Pod {
	return func(pod *corev1.Pod, _ []fwk.NodeInfo) *corev1.Pod {
		return delegate.ClusterView(pod, schedulerplugin.ClusterKeys(registry))
	}
}

// machineSpread leaves of the constraints that spread a pod those that are not about targets.
func machineSpread(registry *target.Registry) func(*corev1.Pod, []fwk.NodeInfo) *corev1.Pod {
	return func(pod *corev1.Pod, _ []fwk.NodeInfo) *corev1.Pod {
		isClusterKey := schedulerplugin.ClusterKeys(registry)
		view := *pod
		view.Spec.TopologySpreadConstraints = nil
		for _, c := range pod.Spec.TopologySpreadConstraints {
			if !isClusterKey(c.TopologyKey) {
				view.Spec.TopologySpreadConstraints = append(view.Spec.TopologySpreadConstraints, c)
			}
		}
		return &view
	}
}
