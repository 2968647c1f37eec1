package fleet

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// The components of a cluster, and of the fleet: names of binaries, logs and processes alike.
const (
	etcd              = "etcd"
	apiServer         = "kube-apiserver"
	controllerManager = "kube-controller-manager"
	scheduler         = "kube-scheduler"
	kwok              = "kwok"
	kubelet           = "kubelet"
	kubeProxy         = "kube-proxy"
	node              = "node" // the network and the mounts of a real one
	kubectl           = "kubectl"
	agnhost           = "agnhost" // these run in containers
	pause             = "pause"
	nautilus          = "nautilus"
	busybox           = "busybox"

	frontProxy = "front-proxy-client"
)

// component is how one part of a cluster is started and how one sees that it is ready.
type component struct {
	name  string
	path  string // of the program; the fleet's binary of that name when empty
	args  []string
	ready string // a URL that answers 200
	ca    string // file of the authority of that URL's server; none for plain HTTP
}

// controlPlane returns the parts of the cluster, without its nodes.
func (c *cluster) controlPlane() []component {
	return []component{c.etcd(), c.apiServer(), c.controllerManager(), c.scheduler()}
}

// pairs writes a map as Kubernetes' flags take it, in order; nothing when it is empty.
func pairs[V any](flag string, from map[string]V) []string {
	if len(from) == 0 {
		return nil
	}
	var list []string
	for _, key := range slices.Sorted(maps.Keys(from)) {
		list = append(list, fmt.Sprintf("%s=%v", key, from[key]))
	}
	return []string{flag + "=" + strings.Join(list, ",")}
}

func (c *cluster) etcd() component {
	client, peer := "http://"+address(c.Etcd), "http://"+address(c.EtcdPeer)
	return component{name: etcd, ready: client + "/health", args: []string{
		"--name=" + c.Name, "--data-dir=etcd", "--log-level=warn",
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=" + c.Name + "=" + peer,
		// The data does not outlive `spillway down`; waiting for the disk would measure the disk.
		"--unsafe-no-fsync",
	}}
}

func (c *cluster) apiServer() component {
	args := append(c.serving(c.host(), c.APIServer), pairs("--runtime-config", c.RuntimeConfig)...)
	return component{name: apiServer, ready: c.url() + "/readyz", ca: c.file("ca.crt"), args: append(args,
		"--etcd-servers=http://"+address(c.Etcd),
		"--client-ca-file="+c.file("ca.crt"),
		"--service-account-key-file="+c.file("sa.pub"), "--service-account-signing-key-file="+c.file("sa.key"),
		"--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range="+c.services(),
		"--authorization-mode=Node,RBAC", "--allow-privileged=true", "--profiling=true",
		// Without these, every component that asks this server who its callers are logs errors for ever.
		"--requestheader-client-ca-file="+c.file("front-proxy-ca.crt"), "--requestheader-allowed-names="+frontProxy,
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file="+c.file(frontProxy+".crt"), "--proxy-client-key-file="+c.file(frontProxy+".key"),
		// How this server asks a node for logs: nodes, simulated or virtual, are reached at their InternalIP.
		"--kubelet-client-certificate="+c.file("kubelet-client.crt"), "--kubelet-client-key="+c.file("kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",
		// A benchmark sends a thousand pods at once from few users. Priority and fairness would queue them by its own
		// shares, sized for large machines, and on two cores show its queues instead of us.
		"--enable-priority-and-fairness=false", "--max-requests-inflight=3000", "--max-mutating-requests-inflight=2000",
	)}
}

func (c *cluster) controllerManager() component {
	return component{name: controllerManager, ready: c.health(c.ControllerManager), ca: c.file("ca.crt"), args: append(
		c.client(controllerManager, c.ControllerManager, 500, 1000),
		"--root-ca-file="+c.file("ca.crt"), "--service-account-private-key-file="+c.file("sa.key"),
		"--use-service-account-credentials=true",
		// Signs the serving certificate of the kubelet API, among others.
		"--cluster-signing-cert-file="+c.file("ca.crt"), "--cluster-signing-key-file="+c.file("ca.key"),
	)}
}

func (c *cluster) scheduler() component {
	// Above what a burst of a thousand pods asks for: the defaults, 50 a second, would be what is measured.
	args := c.client(scheduler, c.Scheduler, 2000, 4000)
	return component{name: scheduler, ready: c.health(c.Scheduler), ca: c.file("ca.crt"), args: args}
}

// client are the flags of the two components that are clients of the API server.
func (c *cluster) client(name string, port, qps, burst int) []string {
	kubeconfig := c.kubeconfigOf(name)
	return append(c.serving(loopback, port),
		"--kubeconfig="+kubeconfig, "--authentication-kubeconfig="+kubeconfig, "--authorization-kubeconfig="+kubeconfig,
		"--leader-elect=false", "--profiling=true",
		"--kube-api-qps="+strconv.Itoa(qps), "--kube-api-burst="+strconv.Itoa(burst),
		"--kube-api-content-type=application/vnd.kubernetes.protobuf",
	)
}

// serving are the flags of a component of Kubernetes: it serves on an address of this machine with the cluster's certificate.
func (c *cluster) serving(ip string, port int) []string {
	return append(pairs("--feature-gates", c.FeatureGates),
		"--bind-address="+ip, fmt.Sprintf("--secure-port=%d", port),
		"--tls-cert-file="+c.file("serving.crt"), "--tls-private-key-file="+c.file("serving.key"),
	)
}

func (c *cluster) health(port int) string { return "https://" + address(port) + "/healthz" }
