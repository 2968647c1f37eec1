package e2e

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/fleet"
)

// cluster is one cluster of the fleet, seen by an administrator.
type cluster struct {
	name   string
	config *rest.Config
	kube   kubernetes.Interface
	client client.Client // Targets and policies; reads are not cached
	uid    string        // of namespace kube-system: what a source's delegates are labelled with
}

func newCluster(name string) (*cluster, error) { return newClusterOf(clusters, name) }

// newClusterOf is for scenarios with a fleet of their own.
func newClusterOf(f *fleet.Fleet, name string) (*cluster, error) {
	c := &cluster{name: name}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	var err error
	if c.config, err = f.RESTConfig(name); err != nil {
		return nil, err
	}
	c.config.WarningHandler = rest.NoWarnings{}
	if c.kube, err = kubernetes.NewForConfig(c.config); err != nil {
		return nil, err
	}
	if c.client, err = client.New(c.config, client.Options{Scheme: scheme}); err != nil {
		return nil, err
	}
	system, err := c.kube.CoreV1().Namespaces().Get(context.Background(), metav1.NamespaceSystem, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	c.uid = string(system.UID)
	return c, nil
}

// kubeconfig returns an administrator's kubeconfig, as one would put it into a Target's Secret.
func (c *cluster) kubeconfig(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(clusters.Kubeconfig(c.name))
	require.NoError(t, err)
	return data
}

// targets are the clusters in which a delegate may be.
func targets() []*cluster { return []*cluster{heata, cloud, spare} }

// The first source's controller, and how long a scenario waits for it to end or start.
const (
	controllerName    = "spillway-controller"
	controllerTimeout = 30 * time.Second
)

// killController ends the controller of the first source as a crash does, and starts it again at the scenario's end unless
// the scenario has.
func killController(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), controllerTimeout)
	defer cancel()
	require.NoError(t, clusters.StopController(ctx, controllerName, syscall.SIGKILL))
	t.Cleanup(func() {
		if _, runs := clusters.Process(source.name, controllerName); !runs {
			startController(t)
		}
	})
}

// startController returns when the controller says that it is ready.
func startController(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), controllerTimeout) // also called when the test's is over
	defer cancel()
	require.NoError(t, clusters.StartController(ctx, fleet.ControllerOptions{}))
}
