package main

import (
	"context"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/fleet"
)

const (
	source     = "source"
	controlled = "a" // the cluster whose kube-scheduler is the control
	controller = "spillway-controller"
	targetSize = 100

	controlNamespace = "control"
	burstNamespace   = "bench"

	readyTimeout = 90 * time.Second
)

var targets = []string{"a", "b"}

// machines are the fleet and what the bench needs to talk to it.
type machines struct {
	fleet    *fleet.Fleet
	configs  map[string]*rest.Config
	clients  map[string]kubernetes.Interface
	spillway client.Client // Targets and policies of the source
}

// up starts the clusters of the control and the burst.
func (b *bench) up(ctx context.Context) error {
	if err := b.raise(ctx, config()); err != nil {
		return err
	}
	return b.namespace(ctx, controlled, controlNamespace, nil)
}

// raise starts clusters in the place of those that run: two fleets do not share two cores. It starts no controller, because
// the control must not share them with one.
func (b *bench) raise(ctx context.Context, config fleet.Config) error {
	if err := b.down(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "spillway-bench-")
	if err != nil {
		return fmt.Errorf("making a folder for the clusters: %w", err)
	}
	b.fleet, err = fleet.Up(ctx, fleet.Options{Name: "bench", Dir: dir, Config: config, WithoutController: true, Out: b.log})
	if err != nil {
		return err
	}
	if err := b.connect(); err != nil {
		return err
	}
	policy := &v1alpha1.ClusterPlacementPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.DefaultPolicyName},
		Spec:       v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeRemoteOnly},
	}
	if err := b.spillway.Create(ctx, policy); err != nil {
		return fmt.Errorf("creating the policy that keeps pods off local nodes: %w", err)
	}
	return b.namespace(ctx, source, burstNamespace, map[string]string{v1alpha1.LabelBurst: v1alpha1.BurstEnabled})
}

func (m *machines) down() error {
	if m.fleet == nil {
		return nil
	}
	return fleet.Down(context.Background(), m.fleet.Dir, os.Stderr) // The caller's context is over after Ctrl-C.
}

// config has targets of equal price and carbon, so that room decides.
func config() fleet.Config {
	nodes := []fleet.NodeGroup{{Count: targetSize, CPU: resource.MustParse("32"), Memory: resource.MustParse("256Gi"), Pods: 250}}
	return configOf(targets, nodes)
}

// configOf is a source with two nodes, and equal targets.
func configOf(names []string, nodes []fleet.NodeGroup) fleet.Config {
	c := fleet.Config{Clusters: []fleet.Cluster{{Name: source, Source: true, Nodes: []fleet.NodeGroup{{
		Count: 2, CPU: resource.MustParse("8"), Memory: resource.MustParse("32Gi"),
	}}}}}
	for _, name := range names {
		spec := &v1alpha1.TargetSpec{
			Price:  &v1alpha1.Price{Currency: "GBP", CPUCoreHour: resource.MustParse("20m")},
			Carbon: &v1alpha1.Carbon{GramsPerKWh: resource.MustParse("120")},
		}
		spec.Namespaces.Mapping, spec.Namespaces.Create = v1alpha1.MappingSame, true
		c.Clusters = append(c.Clusters, fleet.Cluster{Name: name, Target: spec, Nodes: nodes})
	}
	return c
}

func (m *machines) connect() error {
	m.configs, m.clients = map[string]*rest.Config{}, map[string]kubernetes.Interface{}
	for _, name := range m.fleet.Clusters() {
		config, err := m.fleet.RESTConfig(name)
		if err != nil {
			return err
		}
		m.configs[name] = config
		typed := rest.CopyConfig(config)
		typed.ContentType = runtime.ContentTypeProtobuf
		if m.clients[name], err = kubernetes.NewForConfig(typed); err != nil {
			return fmt.Errorf("making a client of cluster %s: %w", name, err)
		}
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	var err error
	m.spillway, err = client.New(m.configs[source], client.Options{Scheme: scheme})
	return err
}

// namespace creates a namespace and waits until the API takes pods there.
func (m *machines) namespace(ctx context.Context, cluster, name string, labels map[string]string) error {
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	if _, err := m.clients[cluster].CoreV1().Namespaces().Create(ctx, object, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating namespace %s of cluster %s: %w", name, cluster, err)
	}
	return eventually(ctx, "the default service account of namespace "+name, func(ctx context.Context) bool {
		_, err := m.clients[cluster].CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		return err == nil
	})
}

// startController returns when pods can burst: targets and virtual nodes are ready, and the admission policy elects.
func (b *bench) startController(ctx context.Context) error {
	if err := b.fleet.StartController(ctx, fleet.ControllerOptions{Name: controller}); err != nil {
		return err
	}
	if err := b.awaitTargets(ctx); err != nil {
		return err
	}
	return eventually(ctx, "the admission policy to elect pods", func(ctx context.Context) bool {
		dry := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
		pod, err := b.clients[source].CoreV1().Pods(burstNamespace).Create(ctx, newPod("dry"), dry)
		return err == nil && pod.Spec.SchedulerName == v1alpha1.SchedulerName
	})
}

func (m *machines) awaitTargets(ctx context.Context) error {
	return eventually(ctx, "every Target and its virtual node to be ready", func(ctx context.Context) bool {
		var list v1alpha1.TargetList
		if err := m.spillway.List(ctx, &list); err != nil || len(list.Items) != len(m.fleet.Targets()) {
			return false
		}
		for _, t := range list.Items {
			node, err := m.clients[source].CoreV1().Nodes().Get(ctx, v1alpha1.VirtualNodeName(t.Name), metav1.GetOptions{})
			if err != nil || !nodeReady(node) || !meta.IsStatusConditionTrue(t.Status.Conditions, v1alpha1.ConditionReady) {
				return false
			}
		}
		return true
	})
}

func nodeReady(node *corev1.Node) bool {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func eventually(ctx context.Context, what string, check func(context.Context) bool) error {
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, readyTimeout, true, func(ctx context.Context) (bool, error) {
		return check(ctx), nil
	})
	if err != nil {
		return fmt.Errorf("waiting for %s: %w", what, err)
	}
	return nil
}
