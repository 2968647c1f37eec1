package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/events"
	"github.com/spillway-dev/spillway/pkg/follow"
	"github.com/spillway-dev/spillway/pkg/mirror"
	"github.com/spillway-dev/spillway/pkg/signal"
	"github.com/spillway-dev/spillway/pkg/signal/configmap"
	"github.com/spillway-dev/spillway/pkg/signal/static"
	"github.com/spillway-dev/spillway/pkg/target"
	"github.com/spillway-dev/spillway/pkg/virtualnode"
	schedulerplugin "github.com/spillway-dev/spillway/scheduler-plugin"
	"github.com/spillway-dev/spillway/scheduler-plugin/policies"
	"github.com/spillway-dev/spillway/scheduler-plugin/profile"
	"github.com/spillway-dev/spillway/scheduler-plugin/review"
)

// schedulerMetrics is where kube-scheduler's own metrics are: its registry is not controller-runtime's.
const schedulerMetrics = "/metrics/scheduler"

// process is everything that runs, once it is wired.
type process struct {
	options       *options
	client        kubernetes.Interface
	config        *rest.Config
	sourceCluster string
	registry      *target.Registry
	policies      *policies.Store
	follower      *follow.Follower
	mirror        *mirror.Mirror
	events        *events.Teller
	plugin        *schedulerplugin.Plugin
	scheduler     *profile.Scheduler
	targets       client.Reader
	nodes         corelisters.NodeLister
	pods          corelisters.PodLister
	ready         atomic.Bool
}

// run wires the process and serves until the context ends.
func run(ctx context.Context, o *options) error {
	logger, err := o.logger()
	if err != nil {
		return err
	}
	ctrllog.SetLogger(logger)
	klog.SetLogger(logger)
	ctx = klog.NewContext(ctrllog.IntoContext(ctx, logger), logger)
	if err := profile.DisableGates(); err != nil {
		return fmt.Errorf("setting the scheduler's feature gates: %w", err)
	}
	config, err := o.restConfig()
	if err != nil {
		return err
	}
	mgr, err := newManager(config, o)
	if err != nil {
		return err
	}
	p := &process{options: o, config: config, targets: mgr.GetClient(), registry: &target.Registry{}, policies: policies.NewStore()}
	for _, step := range []func(context.Context, manager.Manager) error{
		p.connect,         // a client for the source, and its identity
		p.wirePods,        // mirror and scheduler: they listen to the registry, so they come before any target
		p.wireControllers, // Targets, policies and virtual nodes
		p.wireWork,        // what runs while this process leads
	} {
		if err := step(ctx, mgr); err != nil {
			return err
		}
	}
	return mgr.Start(ctx)
}

func newManager(config *rest.Config, o *options) (manager.Manager, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("building the scheme: %w", err)
		}
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme,
		Metrics: metricsserver.Options{BindAddress: o.metricsAddress,
			ExtraHandlers: map[string]http.Handler{schedulerMetrics: legacyregistry.Handler()}},
		HealthProbeBindAddress:        o.healthAddress,
		PprofBindAddress:              o.pprofAddress,
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              "spillway-controller",
		LeaderElectionNamespace:       o.leaderElectionNamespace,
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return nil, fmt.Errorf("connecting to the source cluster: %w", err)
	}
	return mgr, nil
}

func (p *process) connect(ctx context.Context, mgr manager.Manager) error {
	typed := rest.CopyConfig(p.config)
	typed.ContentType = "application/vnd.kubernetes.protobuf"
	typed.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	var err error
	if p.client, err = kubernetes.NewForConfig(typed); err != nil {
		return fmt.Errorf("connecting to the source cluster: %w", err)
	}
	system, err := p.client.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("reading the source cluster's identity, the UID of namespace kube-system: %w", err)
	}
	p.sourceCluster = string(system.UID)
	if err := mgr.AddHealthzCheck("ping", func(*http.Request) error { return nil }); err != nil {
		return err
	}
	return mgr.AddReadyzCheck("working", p.checkReady)
}

func (p *process) wirePods(ctx context.Context, mgr manager.Manager) error {
	p.follower = follow.New(follow.Options{SourceCluster: p.sourceCluster, Source: p.client, Logger: ctrllog.FromContext(ctx)})
	shipping := follower{p.follower}
	informers := profile.NewInformers(p.client)
	p.nodes, p.pods = informers.Core().V1().Nodes().Lister(), informers.Core().V1().Pods().Lister()
	p.plugin = schedulerplugin.New(schedulerplugin.Options{
		SourceCluster: p.sourceCluster,
		Registry:      p.registry,
		Policies:      p.policies,
		Follow:        shipping,
		Namespaces:    namespaceLabels(informers.Core().V1().Namespaces().Lister()),
		Aliases:       p.options.aliases,
		Clock:         clock.RealClock{},
		Recorder:      mgr.GetEventRecorder("spillway"),
	})
	var err error
	if p.mirror, err = mirror.New(mirror.Options{
		Client:   p.client,
		Registry: p.registry,
		Follow:   shipping,
		Outcomes: p.plugin,
		Recorder: mgr.GetEventRecorder("spillway"),
		Clock:    clock.RealClock{},
		NodeIP:   p.options.kubeletAddress,
	}); err != nil {
		return fmt.Errorf("preparing the mirror: %w", err)
	}
	if err := p.mirror.WatchStrays(informers.Core().V1().Pods().Informer()); err != nil {
		return fmt.Errorf("watching strays: %w", err)
	}
	if err := p.plugin.FollowOwners(p.mirror.Pods()); err != nil {
		return fmt.Errorf("watching where owners' pods are: %w", err)
	}
	p.registry.OnSignals(p.plugin.Reconsider)
	p.policies.OnDelete(p.plugin.Reconsider)
	p.registry.AddListener(p.plugin)
	p.registry.AddListener(p.mirror)
	p.events = events.New(events.Options{Client: p.client, Pods: p.mirror, Clock: clock.RealClock{}})
	p.registry.AddListener(p.events)
	p.registry.AddListener(forgetting{p.follower})
	dynamicClient, err := dynamic.NewForConfig(p.config)
	if err != nil {
		return fmt.Errorf("connecting to the source cluster: %w", err)
	}
	p.scheduler, err = profile.New(ctx, p.client, dynamicClient, informers, p.plugin, p.registry)
	return err
}

func (p *process) wireControllers(ctx context.Context, mgr manager.Manager) error {
	signals := signal.NewReader(static.Feed{}, configmap.New(configMapsOf(mgr.GetAPIReader())))
	targets := target.NewController(target.ControllerOptions{
		Client:        mgr.GetClient(),
		Source:        p.client,
		SourceNodes:   p.nodes,
		SourcePods:    p.pods,
		SourceCluster: p.sourceCluster,
		Registry:      p.registry,
		Signals:       signalReader{signals},
		Elected:       p.mirror,
		Recorder:      mgr.GetEventRecorder("spillway"),
		Sends:         sends{p.plugin, p.mirror},
		Clock:         clock.RealClock{},
	})
	if err := targets.SetupWithManager(ctx, mgr); err != nil {
		return fmt.Errorf("setting up Targets: %w", err)
	}
	if err := p.policies.Setup(mgr, p.places); err != nil {
		return err
	}
	reviews := review.New(review.Options{Client: mgr.GetClient(), Asked: p.scheduler.Reviewer, ErrNotRunning: profile.ErrNotRunning,
		Pods: p.pods, Policies: p.policies, Clock: clock.RealClock{}})
	if err := reviews.Setup(mgr); err != nil {
		return err
	}
	endpoints, err := p.kubeletAPI(ctx)
	if err != nil {
		return err
	}
	nodes := virtualnode.NewController(virtualnode.Options{Client: mgr.GetClient(), Source: p.client, Endpoints: endpoints})
	if err := nodes.SetupWithManager(ctx, mgr); err != nil {
		return fmt.Errorf("setting up virtual nodes: %w", err)
	}
	return nil
}

func (p *process) wireWork(_ context.Context, mgr manager.Manager) error {
	return mgr.Add(manager.RunnableFunc(p.work))
}

// drainTime bounds the wait, at the end, for pods on their way to a target; it is longer than taking a delegate back takes.
const drainTime = 15 * time.Second

// work is what only the leader does. Mirror and scheduler begin when the targets have been read, so that a pod whose
// delegate exists is adopted and not sent a second time. Leadership ends when no pod is on its way to a target any more.
func (p *process) work(ctx context.Context) error {
	if !p.mirror.Start(ctx) {
		return nil
	}
	p.plugin.Inherit(p.mirror.Waiting())
	p.settle(ctx)
	p.followUnread(ctx)
	go p.mirror.Run(ctx)
	go p.events.Run(ctx)
	go func() { _ = p.follower.Run(ctx) }() // ends with the context, without error
	p.ready.Store(true)
	err := p.scheduler.Run(ctx)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	return errors.Join(err, p.plugin.Drain(drain))
}
