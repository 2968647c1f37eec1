package fleet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

const (
	readyTimeout = 90 * time.Second // generous: a cold machine with two cores starts a dozen of these at once
	mastersGroup = "system:masters"
)

// cluster is one cluster on this machine: its configuration, its folder and its ports.
type cluster struct {
	Cluster
	ports

	dir        string // the cluster's folder
	bin        string // of the binaries
	kubeconfig string // an administrator's
	started    []process
}

// prepare makes certificates, kubeconfigs and the configuration of the nodes.
func (c *cluster) prepare() error {
	if err := os.MkdirAll(c.pki(), 0o700); err != nil {
		return fmt.Errorf("making the folder of cluster %s: %w", c.Name, err)
	}
	ca, err := newAuthority(c.pki(), "ca")
	if err != nil {
		return err
	}
	// One of its own, as kubeadm makes: whoever has a certificate from it may name any user.
	proxyCA, err := newAuthority(c.pki(), "front-proxy-ca")
	if err != nil {
		return err
	}
	for _, step := range []func() error{
		ca.serviceAccountKeys,
		func() error { return ca.server("serving") },
		func() error { return ca.client("kubelet-client", "kube-apiserver-kubelet-client", mastersGroup) },
		func() error { return proxyCA.client(frontProxy, frontProxy) },
		func() error { return c.user(ca, "admin", "admin", mastersGroup) },
		func() error { return c.user(ca, controllerManager, "system:kube-controller-manager") },
		func() error { return c.user(ca, scheduler, "system:kube-scheduler") },
		func() error { return c.user(ca, kwok, "kwok", mastersGroup) },
		c.writeKwokConfig,
	} {
		if err := step(); err != nil {
			return fmt.Errorf("preparing cluster %s: %w", c.Name, err)
		}
	}
	return nil
}

// start brings the control plane up in the order in which its parts need each other, then the nodes.
func (c *cluster) start(ctx context.Context) error {
	waves := [][]component{{c.etcd()}, {c.apiServer()}, {c.controllerManager(), c.scheduler()}}
	if len(c.Nodes) > 0 {
		waves[2] = append(waves[2], c.kwok())
	}
	for _, wave := range waves {
		if err := c.startAll(ctx, wave); err != nil {
			return err
		}
	}
	return c.createNodes(ctx)
}

// startAll starts components side by side and waits until all are ready.
func (c *cluster) startAll(ctx context.Context, wave []component) error {
	for _, part := range wave {
		p, err := newProcess(c.dir, part.name, filepath.Join(c.bin, part.name), part.args).start()
		if err != nil {
			return err
		}
		c.started = append(c.started, p)
	}
	for i, part := range wave {
		if err := c.waitReady(ctx, c.started[len(c.started)-len(wave)+i], part); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) waitReady(ctx context.Context, p process, part component) error {
	return c.waitFor(ctx, p, func(ctx context.Context) error { return probe(ctx, part.ready, part.ca) })
}

// waitFor polls check, which p brings about. It fails at once when p, or a component that was started with it, has ended:
// an API server without its etcd would else be waited for until the timeout.
func (c *cluster) waitFor(ctx context.Context, p process, check func(context.Context) error) error {
	var ended error
	err := poll(ctx, readyTimeout, func(ctx context.Context) error {
		for _, needed := range append([]process{p}, c.started...) {
			if !needed.alive() {
				ended = componentError(needed, errEnded)
				return nil
			}
		}
		return check(ctx)
	})
	switch {
	case ended != nil:
		return ended
	case err == nil || ctx.Err() != nil: // Another cluster failed, or the user pressed Ctrl-C: not this component's fault.
		return err
	default:
		return componentError(p, err)
	}
}

// user makes a client certificate and a kubeconfig with it; the administrator's is the one that people use.
func (c *cluster) user(ca *authority, name, user string, groups ...string) error {
	if err := ca.client(name, user, groups...); err != nil {
		return err
	}
	config := clientcmdapi.NewConfig()
	config.Clusters[c.Name] = &clientcmdapi.Cluster{Server: c.url(), CertificateAuthority: c.file("ca.crt")}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{ClientCertificate: c.file(name + ".crt"), ClientKey: c.file(name + ".key")}
	config.Contexts[c.Name] = &clientcmdapi.Context{Cluster: c.Name, AuthInfo: name}
	config.CurrentContext = c.Name
	// Embedded, so that the file can be copied, and put into a Target's Secret, as it is.
	if err := clientcmdapi.FlattenConfig(config); err != nil {
		return fmt.Errorf("making the kubeconfig of %s: %w", name, err)
	}
	return clientcmd.WriteToFile(*config, c.kubeconfigOf(name))
}

func (c *cluster) kubeconfigOf(user string) string {
	if user == "admin" {
		return c.kubeconfig
	}
	return c.file(user + ".kubeconfig")
}

func (c *cluster) pki() string             { return filepath.Join(c.dir, "pki") }
func (c *cluster) file(name string) string { return filepath.Join(c.pki(), name) }
func (c *cluster) url() string             { return "https://" + address(c.APIServer) }
