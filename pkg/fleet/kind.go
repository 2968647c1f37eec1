package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	kind "sigs.k8s.io/kind/pkg/cluster"
)

const kindTimeout = 5 * time.Minute // the image of a node is pulled the first time

// kindCluster is a cluster of kind: its control plane and its one node are a container of Docker or Podman.
type kindCluster struct {
	*cluster
	name string // that kind knows it by
}

func newKindCluster(fleet string, c *cluster) *kindCluster {
	return &kindCluster{cluster: c, name: "spillway-" + fleet + "-" + c.Name}
}

// requireKind looks for what kind makes its clusters with.
func requireKind(s *steps) error {
	if _, err := kindProvider(); err != nil {
		return fmt.Errorf("runtime %s needs Docker or Podman, and neither answers here: start one of them, or use --runtime %s"+
			" (simulated nodes) or %s (Linux, root)", RuntimeKind, RuntimeKwok, RuntimeContainerd)
	}
	s.say("Clusters of kind have Kubernetes as kind's image has it; its first pull takes minutes.")
	return nil
}

func (k *kindCluster) prepare() error { return makeFolder(k.dir) }

func (k *kindCluster) start(ctx context.Context) error {
	provider, err := kindProvider()
	if err != nil {
		return err
	}
	err = provider.Create(k.name,
		kind.CreateWithV1Alpha4Config(kindConfig(k.Cluster)), kind.CreateWithKubeconfigPath(k.kubeconfig),
		kind.CreateWithWaitForReady(kindTimeout), kind.CreateWithDisplayUsage(false), kind.CreateWithDisplaySalutation(false))
	if err != nil {
		return fmt.Errorf("making kind cluster %s: %w", k.name, err)
	}
	client, err := k.kube()
	if err != nil {
		return err
	}
	return poll(ctx, readyTimeout, func(ctx context.Context) error {
		_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

// components are kind's, not ours.
func (k *kindCluster) components() []component { return nil }

func (k *kindCluster) remove(context.Context) error {
	provider, err := kindProvider()
	if err != nil {
		return err
	}
	if err := provider.Delete(k.name, k.kubeconfig); err != nil {
		return fmt.Errorf("removing kind cluster %s: %w", k.name, err)
	}
	return nil
}

// kindProvider is the first that answers: a docker command may be there, and no Docker behind it.
func kindProvider() (*kind.Provider, error) {
	var refused []error
	for _, option := range []kind.ProviderOption{kind.ProviderWithDocker(), kind.ProviderWithPodman()} {
		provider := kind.NewProvider(option)
		_, err := provider.List()
		if err == nil {
			return provider, nil
		}
		refused = append(refused, err)
	}
	return nil, fmt.Errorf("asking Docker and Podman: %w", errors.Join(refused...))
}

// kindConfig is one node, the control plane's, with the labels of the first group.
func kindConfig(c Cluster) *v1alpha4.Cluster {
	config := &v1alpha4.Cluster{
		TypeMeta: v1alpha4.TypeMeta{Kind: "Cluster", APIVersion: "kind.x-k8s.io/v1alpha4"},
		Nodes:    []v1alpha4.Node{{Role: v1alpha4.ControlPlaneRole}},

		FeatureGates: c.FeatureGates, RuntimeConfig: c.RuntimeConfig,
	}
	if len(c.Nodes) > 0 {
		config.Nodes[0].Labels = c.Nodes[0].Labels
	}
	v1alpha4.SetDefaultsCluster(config)
	return config
}

// addressFor is where a source's API server finds what listens on this machine: for one in a container, this machine's
// address in the container's network. Others prefer the network of any real node to 127.0.0.1, where an API server reaches
// logs but refuses to be a proxy to (`kubectl get --raw /api/v1/nodes/NAME/proxy/…`).
func (f *Fleet) addressFor(ctx context.Context, source string) (string, error) {
	c := f.cluster(source)
	if c.Runtime != RuntimeKind {
		for _, other := range f.state.Config.Clusters {
			if n, ok := f.state.Networks[other.Name]; ok {
				return n.host(), nil
			}
		}
		return loopback, nil
	}
	client, err := c.kube()
	if err != nil {
		return "", err
	}
	return addressTowards(ctx, client)
}

func addressTowards(ctx context.Context, client kubernetes.Interface) (string, error) {
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", fmt.Errorf("listing nodes: %w", err)
	}
	for _, node := range list.Items {
		for _, address := range node.Status.Addresses {
			if address.Type != corev1.NodeInternalIP {
				continue
			}
			conn, err := net.Dial("udp", net.JoinHostPort(address.Address, "1")) // sends nothing: asks for the route
			if err != nil {
				return "", fmt.Errorf("finding the way to node %s: %w", node.Name, err)
			}
			defer func() { _ = conn.Close() }()
			host, _, err := net.SplitHostPort(conn.LocalAddr().String())
			return host, err
		}
	}
	return "", errors.New("finding the way to the cluster's nodes: none has an address")
}
