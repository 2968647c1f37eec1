package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/spillway-dev/spillway/pkg/fleet/cgroup"
)

const (
	runtimePort       = 1338
	kubeletHealthPort = 10248
	proxyHealthPort   = 10256

	removeTimeout = 5 * time.Second // a cgroup can be removed a moment after its last process has gone
)

// containerdNode is a cluster with one real node: a containerd, a kubelet and a kube-proxy of this machine, in a network, a
// set of mounts and a cgroup of their own (see containerd/node.sh). So several clusters are side by side without meeting on
// a port, an iptables chain or a path, and all of a node goes with its last process.
type containerdNode struct {
	*cluster
	id string // of what the machine knows the node by: a folder's, so that it is found again without any file
}

func newContainerdNode(c *cluster) *containerdNode {
	return &containerdNode{cluster: c, id: fmt.Sprintf("%x", sha256.Sum256([]byte(c.dir)))[:8]}
}

func (n *containerdNode) prepare() error {
	return n.cluster.prepare(
		func(ca *authority) error { return n.user(ca, kubelet, "system:node:"+n.node(), "system:nodes") },
		func(ca *authority) error { return n.user(ca, kubeProxy, "system:kube-proxy") },
		func(*authority) error { return n.writeConfig() },
	)
}

// start begins with the node's network, because the API server listens on it.
func (n *containerdNode) start(ctx context.Context) error {
	if err := n.remove(ctx); err != nil { // of a fleet whose folder was removed by hand
		return err
	}
	if err := n.startNode(ctx); err != nil {
		return err
	}
	if err := n.startControlPlane(ctx, n.containerd()); err != nil {
		return err
	}
	if err := n.importImages(ctx); err != nil {
		return err
	}
	if err := n.startAll(ctx, []component{n.kubelet(), n.kubeProxy()}); err != nil {
		return err
	}
	client, err := n.kube()
	if err != nil {
		return err
	}
	if err := n.waitUsable(ctx, client); err != nil {
		return err
	}
	return n.label(ctx, client)
}

// startNode makes the node's cgroup, network and mounts.
func (n *containerdNode) startNode(ctx context.Context) error {
	tree, err := n.cgroup()
	if err != nil {
		return err
	}
	if err := tree.Create(); err != nil {
		return err
	}
	p, err := n.process(n.holder()).start()
	if err != nil {
		return err
	}
	n.started = append(n.started, p)
	return n.waitFor(ctx, p, func(context.Context) error {
		if !exists(n.nodeFile("node.pid")) {
			return errors.New("the node's network is not there")
		}
		return nil
	})
}

func (n *containerdNode) components() []component {
	return append(n.controlPlane(), n.containerd(), n.kubelet(), n.kubeProxy())
}

// holder is the process whose network and mounts the node's others join.
func (n *containerdNode) holder() component {
	return component{name: node, path: "unshare", args: []string{
		"--net", "--mount", "--propagation=private", "sh", n.nodeFile("node.sh"), n.nodeFile(""),
	}}
}

func (n *containerdNode) containerd() component {
	return n.inNode(RuntimeContainerd, n.health(runtimePort, "/v1/metrics"),
		RuntimeContainerd, "--config="+n.nodeFile("containerd.toml"))
}

func (n *containerdNode) kubelet() component {
	command := append([]string{
		filepath.Join(n.bin, kubelet), "--config=" + n.nodeFile("kubelet.yaml"), "--kubeconfig=" + n.kubeconfigOf(kubelet),
		"--hostname-override=" + n.node(), "--node-ip=" + n.nodeIP(),
	}, pairs("--feature-gates", n.FeatureGates)...)
	return n.inNode(kubelet, n.health(kubeletHealthPort, "/healthz"), command...)
}

// kubeProxy has flags, because it would watch a file, and what one user may watch is little on many machines.
func (n *containerdNode) kubeProxy() component {
	return n.inNode(kubeProxy, n.health(proxyHealthPort, "/livez"),
		filepath.Join(n.bin, kubeProxy), "--kubeconfig="+n.kubeconfigOf(kubeProxy), "--hostname-override="+n.node(),
		"--proxy-mode=iptables", "--detect-local-mode=ClusterCIDR", "--cluster-cidr="+n.pods(),
		"--bind-address="+n.nodeIP(), fmt.Sprintf("--healthz-bind-address=%s:%d", n.nodeIP(), proxyHealthPort),
		// These settings are the machine's, and stay as they are.
		"--conntrack-max-per-core=0", "--conntrack-min=0",
		"--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s")
}

// inNode is a component that runs as a part of the node.
func (n *containerdNode) inNode(name, ready string, command ...string) component {
	return component{name: name, ready: ready, path: "sh", args: append([]string{n.nodeFile("enter.sh")}, command...)}
}

// importImages gives containerd all images, because the node's network does not reach a registry.
func (n *containerdNode) importImages(ctx context.Context) error {
	files, err := imageFiles(n.bin)
	if err != nil {
		return err
	}
	for _, file := range files {
		cmd := exec.CommandContext(ctx, "sh", n.nodeFile("enter.sh"), "ctr", "--namespace=k8s.io", "images", "import", file)
		if output, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("importing %s into cluster %s: %w: %s", file, n.Name, err, output)
		}
	}
	return nil
}

// label gives the node the labels of its group. The kubelet may not set all of them itself.
func (n *containerdNode) label(ctx context.Context, client kubernetes.Interface) error {
	if len(n.Nodes[0].Labels) == 0 {
		return nil // A patch with none would take the kubelet's away, and it never puts its hostname back.
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": n.Nodes[0].Labels}})
	if err != nil {
		return err
	}
	_, err = client.CoreV1().Nodes().Patch(ctx, n.node(), types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("labelling node %s: %w", n.node(), err)
	}
	return nil
}

// remove ends what is left of the node, containers too, whoever started them. Its mounts, its iptables rules and its end of
// the network have gone then; the machine's end would go a moment later by itself.
func (n *containerdNode) remove(ctx context.Context) error {
	tree, err := n.cgroup()
	if err != nil {
		return err
	}
	if err := tree.Kill(ctx); err != nil {
		return err
	}
	if link := "/sys/class/net/" + n.link(); exists(link) {
		output, err := exec.CommandContext(ctx, "ip", "link", "delete", n.link()).CombinedOutput()
		if err != nil && exists(link) {
			return fmt.Errorf("removing network interface %s: %w: %s", n.link(), err, output)
		}
	}
	return poll(ctx, removeTimeout, func(context.Context) error { return tree.Remove() })
}

func (n *containerdNode) cgroup() (*cgroup.Tree, error) {
	return cgroup.New(cgroup.Base, "spillway-"+n.id)
}

func (n *containerdNode) link() string { return "spw" + n.id }
func (n *containerdNode) node() string { return n.Name + "-1" }

func (n *containerdNode) nodeFile(name string) string { return filepath.Join(n.dir, "node", name) }

func (n *containerdNode) health(port int, path string) string {
	return fmt.Sprintf("http://%s:%d%s", n.nodeIP(), port, path)
}

// hiddenFolders are the node's own: there it does not see what the machine has.
var hiddenFolders = []string{"/var/lib", "/var/log", "/run", "/var/run"}

func hidden(dir string) bool {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	for _, folder := range hiddenFolders {
		if strings.HasPrefix(dir+"/", folder+"/") {
			return true
		}
	}
	return false
}

func makeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making a node's folder: %w", err)
	}
	return nil
}
