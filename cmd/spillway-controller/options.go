package main

import (
	"fmt"
	"net"
	"os"

	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// defaultKubeletPorts begin with a kubelet's usual one, which some tools take for granted.
var defaultKubeletPorts = utilnet.PortRange{Base: 10250, Size: 250}

// options are the command's flags.
type options struct {
	kubeconfig              string
	kubeletAddress          string
	kubeletPorts            utilnet.PortRange
	kubeletServingSigner    bool
	metricsAddress          string
	pprofAddress            string
	healthAddress           string
	leaderElect             bool
	leaderElectionNamespace string
	aliases                 bool
	verbose                 bool
}

func newCommand() *cobra.Command {
	o := &options{}
	command := &cobra.Command{
		Use:           "spillway-controller",
		Short:         "Makes other clusters look like nodes of this one",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(c *cobra.Command, _ []string) error { return run(c.Context(), o) },
	}
	f := command.Flags()
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig of the source cluster; empty: that of the pod this runs in")
	f.StringVar(&o.kubeletAddress, "kubelet-address", os.Getenv("POD_IP"), "address on which the API server reaches the virtual nodes' kubelet API")
	o.kubeletPorts = defaultKubeletPorts
	f.Var(&o.kubeletPorts, "kubelet-ports", "ports of the virtual nodes' kubelet APIs, one each, such as 10250-10499; empty: any that are free")
	f.BoolVar(&o.kubeletServingSigner, "kubelet-serving-signer", true, "have serving certificates signed by kubernetes.io/kubelet-serving; else they are self-signed")
	f.StringVar(&o.metricsAddress, "metrics-bind-address", ":8080", "address of /metrics, and of /metrics/scheduler with kube-scheduler's own")
	f.StringVar(&o.healthAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz")
	f.StringVar(&o.pprofAddress, "pprof-bind-address", "", "address of /debug/pprof; empty: none")
	f.BoolVar(&o.leaderElect, "leader-elect", true, "work only while holding the lease, so that a standby can take over")
	f.StringVar(&o.leaderElectionNamespace, "leader-election-namespace", "spillway-system", "namespace of the lease")
	f.BoolVar(&o.aliases, "aliases", true, "accept Admiralty's and Liqo's annotation and labels as well")
	f.BoolVar(&o.verbose, "verbose", false, "log what is decided, not only what changes")
	return command
}

// restConfig of the source cluster, without client-side rate limit: its API server bounds us by priority and fairness.
func (o *options) restConfig() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of the source cluster: %w", err)
	}
	config.QPS = -1
	config.UserAgent = "spillway-controller"
	return config, nil
}

func (o *options) kubeletIP() (net.IP, error) {
	ip := net.ParseIP(o.kubeletAddress)
	if ip == nil {
		return nil, fmt.Errorf("--kubelet-address %q is no IP address: set it to the one on which the API server reaches this process, such as the pod's", o.kubeletAddress)
	}
	return ip, nil
}

func (o *options) logger() (logr.Logger, error) {
	config := zap.NewProductionConfig()
	config.Sampling = nil
	config.DisableStacktrace = true
	if o.verbose {
		config.Level = zap.NewAtomicLevelAt(-2)
	}
	logger, err := config.Build()
	if err != nil {
		return logr.Discard(), fmt.Errorf("setting up the log: %w", err)
	}
	return zapr.NewLogger(logger), nil
}
