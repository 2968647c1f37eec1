package fleet

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"text/template"

	"k8s.io/apimachinery/pkg/api/resource"
)

// nodeConfig is what a real node is configured with.
//
//go:embed containerd
var nodeConfig embed.FS

// nodeSettings are what the templates under containerd/ fill in.
type nodeSettings struct {
	Dir, Node, Link, Cgroup, Procs, CNI, Pause, CA string
	HostIP, NodeIP, Pods, DNS                      string
	RuntimePort, HealthPort, MaxPods               int
	Reserved, Taints                               string // JSON
}

func (n *containerdNode) writeConfig() error {
	settings, err := n.settings()
	if err != nil {
		return err
	}
	for name, folder := range map[string]string{
		"node.sh": "", "enter.sh": "", "containerd.toml": "", "kubelet.yaml": "", "cni.conflist": "cni",
	} {
		if err := makeFolder(n.nodeFile(folder)); err != nil {
			return err
		}
		parsed, err := template.ParseFS(nodeConfig, "containerd/"+name)
		if err != nil {
			return err
		}
		var out bytes.Buffer
		if err := parsed.Execute(&out, settings); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(n.nodeFile(folder), name), out.Bytes(), 0o600); err != nil {
			return fmt.Errorf("writing a node's configuration: %w", err)
		}
	}
	return nil
}

func (n *containerdNode) settings() (nodeSettings, error) {
	tree, err := n.cgroup()
	if err != nil {
		return nodeSettings{}, err
	}
	machine, err := thisMachine()
	if err != nil {
		return nodeSettings{}, err
	}
	group := n.Nodes[0]
	reserved, err := json.Marshal(group.reserved(machine))
	if err != nil {
		return nodeSettings{}, err
	}
	taints := []byte("[]")
	if len(group.Taints) > 0 {
		if taints, err = json.Marshal(group.Taints); err != nil {
			return nodeSettings{}, err
		}
	}
	return nodeSettings{
		Dir: n.nodeFile(""), Node: n.node(), Link: n.link(), Cgroup: tree.Path(), Procs: tree.Procs(), CNI: cniFolder(),
		Pause: pauseImages[0], CA: n.file("ca.crt"),
		HostIP: n.host(), NodeIP: n.nodeIP(), Pods: n.pods(), DNS: n.dns(),
		RuntimePort: runtimePort, HealthPort: kubeletHealthPort, MaxPods: group.Pods,
		Reserved: string(reserved), Taints: string(taints),
	}, nil
}

// room is what a machine has.
type room struct{ CPU, Memory resource.Quantity }

// reserved is what pods must not have of the machine, so that the node is as large as its group says. A node that would be
// larger than the machine is as large as the machine.
func (g NodeGroup) reserved(machine room) map[string]resource.Quantity {
	rest := map[string]resource.Quantity{}
	for name, pair := range map[string][2]resource.Quantity{"cpu": {machine.CPU, g.CPU}, "memory": {machine.Memory, g.Memory}} {
		left := pair[0].DeepCopy()
		left.Sub(pair[1])
		if left.Sign() > 0 {
			rest[name] = left
		}
	}
	return rest
}

func thisMachine() (room, error) {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return room{}, fmt.Errorf("reading how much memory this machine has: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "MemTotal:" {
			memory, err := resource.ParseQuantity(fields[1] + "Ki")
			return room{CPU: resource.MustParse(strconv.Itoa(runtime.NumCPU())), Memory: memory}, err
		}
	}
	return room{}, fmt.Errorf("reading how much memory this machine has: /proc/meminfo does not say")
}
