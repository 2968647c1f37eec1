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
	network // zero unless the cluster has a real node

	dir        string // the cluster's folder
	bin        string // of the binaries
	kubeconfig string // an administrator's
	started    []process
}

// prepare makes certificates and kubeconfigs, and what the runtime needs more.
func (c *cluster) prepare(more ...func(ca *authority) error) error {
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
		func() error { return ca.server("serving", c.host(), c.serviceIP()) },
		func() error { return ca.client("kubelet-client", "kube-apiserver-kubelet-client", mastersGroup) },
		func() error { return proxyCA.client(frontProxy, frontProxy) },
		func() error { return c.user(ca, "admin", "admin", mastersGroup) },
		func() error { return c.user(ca, controllerManager, "system:kube-controller-manager") },
		func() error { return c.user(ca, scheduler, "system:kube-scheduler") },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("preparing cluster %s: %w", c.Name, err)
		}
	}
	for _, step := range more {
		if err := step(ca); err != nil {
			return fmt.Errorf("preparing cluster %s: %w", c.Name, err)
		}
	}
	return nil
}

// startControlPlane brings the control plane up in the order in which its parts need each other, and others beside the last.
func (c *cluster) startControlPlane(ctx context.Context, beside ...component) error {
	last := append([]component{c.controllerManager(), c.scheduler()}, beside...)
	for _, wave := range [][]component{{c.etcd()}, {c.apiServer()}, last} {
		if err := c.startAll(ctx, wave); err != nil {
			return err
		}
	}
	return nil
}

// startAll starts components side by side and waits until all are ready.
func (c *cluster) startAll(ctx context.Context, wave []component) error {
	for _, part := range wave {
		p, err := c.process(part).start()
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

func (c *cluster) process(part component) process {
	path := part.path
	if path == "" {
		path = filepath.Join(c.bin, part.name)
	}
	return newProcess(c.dir, part.name, path, part.args)
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
func (c *cluster) url() string             { return "https://" + c.at(c.APIServer) }
