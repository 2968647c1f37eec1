package fleet

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	// kwokLabel marks the nodes that kwok manages. It is the label that virtual nodes have with another value.
	kwokLabel      = "type"
	kwokAnnotation = "kwok.x-k8s.io/node"
	resourceGPU    = corev1.ResourceName("nvidia.com/gpu")

	nodeWorkers = 16
)

// kube is an administrator's client.
func (c *cluster) kube() (kubernetes.Interface, error) {
	config, err := restConfig(c.kubeconfig)
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a client of cluster %s: %w", c.Name, err)
	}
	return client, nil
}

// createNodes creates the cluster's simulated nodes.
func (c *cluster) createNodes(ctx context.Context, client kubernetes.Interface) error {
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(nodeWorkers)
	for _, node := range c.nodes() {
		group.Go(func() error {
			_, err := client.CoreV1().Nodes().Create(groupCtx, node, metav1.CreateOptions{})
			if err != nil && !apierrors.IsAlreadyExists(err) {
				return fmt.Errorf("creating node %s: %w", node.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// waitUsable waits for the default service account, without which the API refuses pods, and for every node.
func (c *cluster) waitUsable(ctx context.Context, client kubernetes.Interface) error {
	responsible, err := loadProcess(filepath.Join(c.dir, controllerManager+".json"))
	if err != nil {
		return err
	}
	return c.waitFor(ctx, responsible, func(ctx context.Context) error {
		accounts := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault)
		if _, err := accounts.Get(ctx, "default", metav1.GetOptions{}); err != nil {
			return fmt.Errorf("waiting for the default service account: %w", err)
		}
		list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("listing nodes: %w", err)
		}
		return c.allUsable(list.Items)
	})
}

// allUsable says which of the cluster's nodes is not usable, or not there.
func (c *cluster) allUsable(found []corev1.Node) error {
	usables := map[string]bool{}
	for _, node := range found {
		usables[node.Name] = usable(node)
	}
	for _, node := range c.nodes() {
		if !usables[node.Name] {
			return fmt.Errorf("node %s is not ready", node.Name)
		}
	}
	return nil
}

// usable is ready and rid of the taint that every new node has until the controller-manager has seen it ready.
func usable(node corev1.Node) bool {
	for _, taint := range node.Spec.Taints {
		if taint.Key == corev1.TaintNodeNotReady {
			return false
		}
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// nodes returns the cluster's nodes, named <cluster>-<number> from 1 through all groups. A real node is the first of them.
func (c *cluster) nodes() []*corev1.Node {
	if c.Runtime != RuntimeKwok && len(c.Nodes) > 0 {
		return []*corev1.Node{c.Nodes[0].node(c.Name + "-1")}
	}
	var nodes []*corev1.Node
	for _, group := range c.Nodes {
		for range group.Count {
			nodes = append(nodes, group.node(fmt.Sprintf("%s-%d", c.Name, len(nodes)+1)))
		}
	}
	return nodes
}

func (g NodeGroup) node(name string) *corev1.Node {
	labels := map[string]string{
		corev1.LabelHostname: name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: runtime.GOARCH, kwokLabel: kwok,
	}
	maps.Copy(labels, g.Labels)
	room := corev1.ResourceList{
		corev1.ResourceCPU: g.CPU, corev1.ResourceMemory: g.Memory,
		corev1.ResourcePods: resource.MustParse(strconv.Itoa(g.Pods)),
	}
	if g.GPU != nil {
		room[resourceGPU] = *g.GPU
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, Annotations: map[string]string{kwokAnnotation: "fake"}},
		Spec:       corev1.NodeSpec{Taints: g.Taints},
		// kwok would name itself as the kubelet's version, which is not one.
		Status: corev1.NodeStatus{
			Capacity: room, Allocatable: room,
			NodeInfo: corev1.NodeSystemInfo{KubeletVersion: KubernetesVersion},
		},
	}
}
