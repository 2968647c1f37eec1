package fleet

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
)

func TestRuntimeIsTheFleetsUnlessAClusterSaysOtherwise(t *testing.T) {
	c, err := Parse([]byte(`
clusters:
- {name: a, source: true, runtime: kwok, nodes: [{count: 1, cpu: 1, memory: 1Gi}]}
- {name: b, nodes: [{count: 3, cpu: 1, memory: 1Gi}]}
- {name: c}
- {name: d, runtime: kind}
`))
	require.NoError(t, err)
	f := &Fleet{Name: "demo", Dir: "/x", state: state{Config: c.withRuntime(RuntimeContainerd)}}

	assert.IsType(t, &kwokNodes{}, f.runtime("a"))
	assert.IsType(t, &containerdNode{}, f.runtime("b"))
	assert.IsType(t, &kwokNodes{}, f.runtime("c"), "a control plane alone needs no runtime")
	assert.IsType(t, &kindCluster{}, f.runtime("d"))
	assert.Equal(t, "spillway-demo-d", f.runtime("d").(*kindCluster).name)
	assert.Len(t, f.cluster("b").nodes(), 1, "one real node, however many are asked for")
}

func TestBinariesAreThoseThatTheRuntimesNeed(t *testing.T) {
	tests := map[string]struct {
		runtime           string
		want, wantMissing []string
	}{
		"kwok":       {RuntimeKwok, []string{kwok, apiServer, kubectl}, []string{kubelet, agnhost}},
		"containerd": {RuntimeContainerd, []string{apiServer, kubelet, kubeProxy, pause, agnhost, kubectl}, []string{kwok}},
		"kind":       {RuntimeKind, []string{kubectl}, []string{etcd, apiServer, kwok, kubelet}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := names(missing(t.TempDir(), Default().withRuntime(test.runtime).binaries()))

			assert.Subset(t, got, test.want)
			for _, name := range test.wantMissing {
				assert.NotContains(t, got, name)
			}
		})
	}
}

func TestContainerdIsRefused(t *testing.T) {
	tests := map[string]struct {
		system string
		user   int
		dir    string
		want   string
	}{
		"on a Mac":                             {"darwin", 0, "/x", "needs Linux, and this is darwin: use --runtime kwok"},
		"without root":                         {"linux", 1000, "/x", "needs root: use sudo, or --runtime kwok"},
		"where the node has a folder itself":   {"linux", 0, "/var/lib/fleet", "choose another --dir"},
		"where a link leads there":             {"linux", 0, "/var/run/fleet", "choose another --dir"},
		"nowhere else":                         {"linux", 0, "/home/x", ""},
		"nor where the name only begins alike": {"linux", 0, "/running", ""},
	}
	t.Setenv("XDG_CACHE_HOME", "/home/x/.cache")
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := refuseContainerd(test.system, test.user, test.dir)

			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestMissingPackagesAreNamedOnce(t *testing.T) {
	yes, no := func() bool { return true }, func() bool { return false }

	got := missingPackages([]requirement{{"containerd", "containerd", no}, {"ctr", "containerd", no}, {"ip", "iproute2", yes}, {"runc", "runc", no}})

	assert.Equal(t, []string{"containerd", "runc"}, got)
	assert.ErrorContains(t, missingError(got), "apt-get install containerd runc")
}

func TestNodeIsAsLargeAsItsGroupOrTheMachine(t *testing.T) {
	machine := room{CPU: resource.MustParse("2"), Memory: resource.MustParse("8Gi")}
	tests := map[string]struct {
		cpu, memory string
		want        map[string]string
	}{
		"smaller than the machine": {"500m", "2Gi", map[string]string{"cpu": "1500m", "memory": "6Gi"}},
		"larger in one thing":      {"8", "2Gi", map[string]string{"memory": "6Gi"}},
		"larger":                   {"8", "32Gi", map[string]string{}},
		"as large":                 {"2", "8Gi", map[string]string{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			group := NodeGroup{CPU: resource.MustParse(test.cpu), Memory: resource.MustParse(test.memory)}

			got := map[string]string{}
			for name, quantity := range group.reserved(machine) {
				got[name] = quantity.String()
			}

			assert.Equal(t, test.want, got)
		})
	}
}

func TestNetworkHasARoleForEachPart(t *testing.T) {
	n := network{netip.MustParsePrefix("10.201.8.0/22")}

	assert.Equal(t, "10.201.8.1", n.host())
	assert.Equal(t, "10.201.8.2", n.nodeIP())
	assert.Equal(t, "10.201.9.0/24", n.pods())
	assert.Equal(t, "10.201.10.0/23", n.services())
	assert.Equal(t, "10.201.10.1", n.serviceIP())
	assert.Equal(t, "10.201.10.10", n.dns())
	assert.Equal(t, "10.201.8.1:6443", n.at(6443))
}

func TestWithoutARealNodeEverythingIsOnLoopback(t *testing.T) {
	assert.Equal(t, "127.0.0.1", network{}.host())
	assert.Equal(t, "10.96.0.0/16", network{}.services())
	assert.Equal(t, "10.96.0.1", network{}.serviceIP())
}

func TestNetworkOfSomebodyElseIsNotFree(t *testing.T) {
	taken := []net.Addr{&net.IPNet{IP: net.IPv4(10, 201, 9, 7), Mask: net.CIDRMask(24, 32)}}

	assert.False(t, isFree(netip.MustParsePrefix("10.201.8.0/22"), taken))
	assert.True(t, isFree(netip.MustParsePrefix("10.201.12.0/22"), taken))
}

func TestNodeIsConfiguredAsItsGroupSays(t *testing.T) {
	if cgroups, err := filepath.Glob("/sys/fs/cgroup/*"); err != nil || len(cgroups) == 0 {
		t.Skip("a node needs cgroups, and this machine has none")
	}
	dir := t.TempDir()
	c, err := Parse([]byte(`clusters: [{name: a, source: true, runtime: containerd, nodes: [{count: 1, cpu: 1m, memory: 1Mi, pods: 7, taints: [{key: k, effect: NoSchedule}]}]}]`))
	require.NoError(t, err)
	f := &Fleet{Name: "demo", Dir: dir, state: state{Config: c, Networks: map[string]network{"a": {netip.MustParsePrefix("10.201.8.0/22")}}}}
	n := f.runtime("a").(*containerdNode)
	require.NoError(t, n.prepare())

	kubelet, err := os.ReadFile(n.nodeFile("kubelet.yaml"))
	require.NoError(t, err)
	for _, want := range []string{`maxPods: 7`, `registerWithTaints: [{"key":"k","effect":"NoSchedule"}]`, `address: 10.201.8.2`,
		`cgroupRoot: "/spillway-` + n.id + `"`, `"memory":`} {
		assert.Contains(t, string(kubelet), want)
	}
	script, err := os.ReadFile(n.nodeFile("node.sh"))
	require.NoError(t, err)
	assert.Contains(t, string(script), "host ip route add 10.201.9.0/24 via 10.201.8.2")
	assert.NotContains(t, string(script), "{{")
	assert.LessOrEqual(t, len(n.link()), 15, "Linux allows no longer name")
}

func TestKindHasOneNodeWithTheLabelsOfTheFirstGroup(t *testing.T) {
	got := kindConfig(Cluster{Nodes: []NodeGroup{{Count: 3, Labels: map[string]string{"a": "b"}}}})

	require.Len(t, got.Nodes, 1)
	assert.Equal(t, v1alpha4.ControlPlaneRole, got.Nodes[0].Role)
	assert.Equal(t, map[string]string{"a": "b"}, got.Nodes[0].Labels)
	assert.Contains(t, got.Nodes[0].Image, "kindest/node:")
}

func TestKindWithoutDockerSaysHowToGoOn(t *testing.T) {
	t.Setenv("PATH", t.TempDir())

	err := requireKind(newSteps(&bytes.Buffer{}))

	require.ErrorContains(t, err, "needs Docker or Podman")
	assert.ErrorContains(t, err, "or use --runtime kwok (simulated nodes) or containerd")
	assert.NotContains(t, err.Error(), "\n")
}

func TestKindTakesPodmanWhereThereIsADockerCommandAndNoDocker(t *testing.T) {
	dir := t.TempDir()
	for name, script := range map[string]string{"docker": "#!/bin/sh\nexit 1\n", "podman": "#!/bin/sh\ncase $1 in ps) ;; *) echo podman version 4.3.1 ;; esac\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700))
	}
	t.Setenv("PATH", dir)

	require.NoError(t, requireKind(newSteps(&bytes.Buffer{})))

	require.NoError(t, os.Remove(filepath.Join(dir, "podman")))
	require.Error(t, requireKind(newSteps(&bytes.Buffer{})))
}

func TestGPUsAreOnlySimulated(t *testing.T) {
	_, err := Parse([]byte(`clusters: [{name: a, source: true, runtime: containerd, nodes: [{count: 1, cpu: 1, memory: 1Gi, gpu: 1}]}]`))

	assert.ErrorContains(t, err, "clusters[0].nodes[0].gpu: only kwok simulates GPUs")
}

func TestSmallFleetsNeedFewerWatches(t *testing.T) {
	real := Cluster{Runtime: RuntimeContainerd, Nodes: []NodeGroup{{Count: 1}}}
	without := Cluster{Runtime: RuntimeContainerd}

	assert.Equal(t, usualWatches, Config{Clusters: []Cluster{without, real, real}}.watches())
	assert.Less(t, Config{Clusters: []Cluster{without, real}}.watches(), 36)
}
