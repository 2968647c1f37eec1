package fleet

import "context"

// The runtimes: what runs a cluster's nodes.
const (
	// RuntimeKwok simulates nodes: any number, no root.
	RuntimeKwok = "kwok"
	// RuntimeContainerd is a real kubelet and containerd on this machine: one node for each cluster; Linux and root.
	RuntimeContainerd = "containerd"
	// RuntimeKind is kind's clusters, in Docker or Podman.
	RuntimeKind = "kind"
)

var runtimes = []string{RuntimeKwok, RuntimeContainerd, RuntimeKind}

// nodes is one cluster with the nodes of its runtime.
type nodes interface {
	// prepare writes what start needs. Nothing outside the cluster's folder changes.
	prepare() error
	// start brings the cluster up, and returns when pods can be created and scheduled there.
	start(ctx context.Context) error
	// components are the processes that can be ended and started again.
	components() []component
	// remove takes away what is neither a process of the fleet nor a file in its folder, also after a start that failed or
	// a crash. Where there is nothing it does nothing.
	remove(ctx context.Context) error
}

var (
	_ nodes = (*kwokNodes)(nil)
	_ nodes = (*containerdNode)(nil)
	_ nodes = (*kindCluster)(nil)
)

// runtime returns a cluster that is in the configuration, with its nodes.
func (f *Fleet) runtime(name string) nodes {
	c := f.cluster(name)
	switch {
	case c.Runtime == RuntimeKind:
		return newKindCluster(f.Name, c)
	case c.real():
		return newContainerdNode(c)
	default:
		return &kwokNodes{c}
	}
}

// real tells whether the cluster has a node that runs containers on this machine. A cluster without nodes is a control
// plane, and needs no runtime.
func (c Cluster) real() bool { return c.Runtime == RuntimeContainerd && len(c.Nodes) > 0 }

// removeNodes lets every runtime take away what it has outside the fleet's folder.
func (f *Fleet) removeNodes(ctx context.Context) error {
	for _, name := range f.Clusters() {
		if err := f.runtime(name).remove(ctx); err != nil {
			return err
		}
	}
	return nil
}

// uses tells whether any cluster has the runtime.
func (c Config) uses(runtime string) bool {
	return len(c.names(func(c Cluster) bool {
		return c.Runtime == runtime && (runtime != RuntimeContainerd || c.real())
	})) > 0
}
