package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const stateFile = "fleet.json"

// Fleet is a fleet on this machine, whether its processes run or not.
type Fleet struct {
	Name, Dir string

	state state
}

// state is what fleet.json holds. What changes while a fleet runs, its processes, is in files of their own.
type state struct {
	Name    string           `json:"name"`
	Runtime string           `json:"runtime"`
	Bin     string           `json:"bin"`
	Ready   bool             `json:"ready"` // false while it is being started
	Config  Config           `json:"config"`
	Ports   map[string]ports `json:"ports"`
	// Networks are the real nodes'.
	Networks map[string]network `json:"networks,omitempty"`
}

// Load returns the fleet in a folder; IsNotFound tells that there is none.
func Load(dir string) (*Fleet, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, NotFoundError{Dir: dir}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the state of a fleet: %w", err)
	}
	f := &Fleet{Dir: dir}
	if err := json.Unmarshal(data, &f.state); err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Join(dir, stateFile), err)
	}
	f.Name = f.state.Name
	return f, nil
}

// Clusters returns the names of all clusters, in the order of the configuration.
func (f *Fleet) Clusters() []string {
	return f.state.Config.names(func(Cluster) bool { return true })
}

// Source returns the first source cluster.
func (f *Fleet) Source() string { return f.Sources()[0] }

// Sources returns the source clusters.
func (f *Fleet) Sources() []string { return f.state.Config.sources() }

// Targets returns the target clusters, without the sources' own SelfTarget.
func (f *Fleet) Targets() []string { return f.state.Config.targets() }

// Kubeconfig returns the file of an administrator's kubeconfig for a cluster.
func (f *Fleet) Kubeconfig(cluster string) string { return filepath.Join(f.Dir, cluster+".kubeconfig") }

// RESTConfig returns an administrator's configuration for a cluster, without client-side rate limit.
func (f *Fleet) RESTConfig(cluster string) (*rest.Config, error) {
	return restConfig(f.Kubeconfig(cluster))
}

// Binary returns the file of a binary that the fleet runs, or of kubectl.
func (f *Fleet) Binary(name string) string { return filepath.Join(f.state.Bin, name) }

// Process returns the id of a component's process, if it runs. Components are etcd, kube-apiserver,
// kube-controller-manager, kube-scheduler, kwok, containerd, kubelet and kube-proxy of any cluster, and spillway-controller of a source cluster.
func (f *Fleet) Process(cluster, component string) (pid int, ok bool) {
	p, err := f.process(cluster, component)
	if err != nil || !p.alive() {
		return 0, false
	}
	return p.PID, true
}

// Stop ends one component of a cluster: kindly, and after 5 seconds hard.
func (f *Fleet) Stop(ctx context.Context, cluster, component string) error {
	p, err := f.process(cluster, component)
	if err != nil {
		return err
	}
	return p.stop(ctx, syscall.SIGTERM)
}

// Start starts a component again after Stop, with the same ports and flags, and waits until it is ready.
func (f *Fleet) Start(ctx context.Context, cluster, component string) error {
	p, err := f.process(cluster, component)
	if err != nil || p.alive() {
		return err
	}
	c := f.cluster(cluster)
	for _, part := range f.runtime(cluster).components() {
		if part.name == component {
			if p, err = p.start(); err != nil {
				return err
			}
			return c.waitReady(ctx, p, part)
		}
	}
	return fmt.Errorf("starting %s of cluster %s: it is no component of a cluster; StartController starts controllers",
		component, cluster)
}

func (f *Fleet) process(cluster, component string) (process, error) {
	p, err := loadProcess(filepath.Join(f.Dir, cluster, component+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return p, fmt.Errorf("cluster %s of fleet %s has no %s", cluster, f.Name, component)
	}
	return p, err
}

// processes returns all that were ever started, of every cluster.
func (f *Fleet) processes() ([]process, error) {
	var all []process
	for _, name := range f.Clusters() {
		some, err := loadProcesses(filepath.Join(f.Dir, name))
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// cluster returns a cluster that is in the configuration.
func (f *Fleet) cluster(name string) *cluster {
	i := slices.IndexFunc(f.state.Config.Clusters, func(c Cluster) bool { return c.Name == name })
	return &cluster{
		Cluster: f.state.Config.Clusters[i], ports: f.state.Ports[name], network: f.state.Networks[name],
		dir: filepath.Join(f.Dir, name), bin: f.state.Bin, kubeconfig: f.Kubeconfig(name),
	}
}

func restConfig(kubeconfig string) (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", kubeconfig, err)
	}
	config.QPS = -1
	return config, nil
}
