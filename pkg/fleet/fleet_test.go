package fleet

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"
)

// demoFleet is a fleet that was claimed in a folder, with nothing running.
func demoFleet(t *testing.T, dir string) *Fleet {
	t.Helper()
	f := &Fleet{Name: "demo", Dir: dir, state: state{Name: "demo", Config: Default(), Ports: map[string]ports{"source": {APIServer: 4711}}}}
	require.NoError(t, f.claim())
	return f
}

func TestUpRefuses(t *testing.T) {
	tests := map[string]struct {
		options Options
		folder  func(t *testing.T, dir string)
		want    string
	}{
		"an unknown runtime": {Options{Runtime: "docker"}, nil, `the fleet's runtime: "docker" is no runtime: use kwok, containerd, kind`},
		"a bad name":         {Options{Name: "../x"}, nil, `the fleet's name: "../x" is not a name`},
		"a bad config":       {Options{Config: Config{Clusters: []Cluster{{Name: "a"}}}}, nil, "none has source: true"},
		"somebody's folder": {Options{}, func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "thesis.txt"), nil, 0o600))
		}, "is not empty (it has thesis.txt)"},
		"another fleet's folder": {Options{Name: "other"}, func(t *testing.T, dir string) { demoFleet(t, dir) }, "is the folder of fleet demo"},
		"a fleet that is still starting": {Options{}, func(t *testing.T, dir string) { demoFleet(t, dir) },
			"fleet demo is still starting, or its start was interrupted"},
		"a fleet whose process has ended": {Options{}, func(t *testing.T, dir string) {
			f := demoFleet(t, dir)
			f.state.Ready = true
			require.NoError(t, f.save())
			require.NoError(t, os.Mkdir(filepath.Join(dir, "heata"), 0o700))
			require.NoError(t, writeJSON(filepath.Join(dir, "heata", "etcd.json"), process{}))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "heata", "etcd.log"), []byte("disk full\n"), 0o600))
		}, "etcd of cluster heata: it ended by itself"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.options.Dir = t.TempDir()
			if test.folder != nil {
				test.folder(t, test.options.Dir)
			}

			_, err := Up(t.Context(), test.options)

			assert.ErrorContains(t, err, test.want)
		})
	}
}

func TestClaimLetsOneWin(t *testing.T) {
	dir := t.TempDir()
	first := demoFleet(t, dir)

	require.ErrorIs(t, first.claim(), errInterrupted)

	loaded, err := Load(dir)
	require.NoError(t, err)
	assert.Equal(t, first.Name, loaded.Name)
	assert.Equal(t, first.state.Ports, loaded.state.Ports)
	assert.Equal(t, first.Clusters(), loaded.Clusters())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "only fleet.json is left of the claims")
}

func TestDownRemovesWhatUpMadeAndNothingElse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "fleet")
	f := demoFleet(t, dir)
	for _, name := range f.Clusters() {
		require.NoError(t, f.runtime(name).prepare())
	}
	theirs := filepath.Join(dir, "notes.txt")
	require.NoError(t, os.WriteFile(theirs, nil, 0o600))

	require.NoError(t, Down(t.Context(), dir, &bytes.Buffer{}))

	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	assert.Equal(t, "notes.txt", entries[0].Name())
	assert.True(t, IsNotFound(Down(t.Context(), dir, &bytes.Buffer{})))
}

func TestPrepareMakesUsableKubeconfigsAndCertificates(t *testing.T) {
	f := demoFleet(t, t.TempDir())
	c := f.cluster("source")
	require.NoError(t, c.prepare())

	config, err := f.RESTConfig("source")
	require.NoError(t, err)
	assert.Equal(t, "https://127.0.0.1:4711", config.Host)
	assert.EqualValues(t, -1, config.QPS)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(config.CAData))
	for name, usage := range map[string]x509.ExtKeyUsage{"serving": x509.ExtKeyUsageServerAuth, "admin": x509.ExtKeyUsageClientAuth} {
		data, err := os.ReadFile(c.file(name + ".crt"))
		require.NoError(t, err)
		block, _ := pem.Decode(data)
		cert, err := x509.ParseCertificate(block.Bytes)
		require.NoError(t, err)
		_, err = cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{usage}})
		assert.NoError(t, err, name)
	}
}

func TestFeatureGatesAndAPIVersionsReachTheComponentsThatKnowThem(t *testing.T) {
	c := &kwokNodes{&cluster{Cluster: Cluster{Name: "a", FeatureGates: map[string]bool{"B": false, "A": true}, RuntimeConfig: map[string]string{"api/beta": "true"}}}}
	const gates, versions = "--feature-gates=A=true,B=false", "--runtime-config=api/beta=true"
	want := map[string][]string{apiServer: {gates, versions}, controllerManager: {gates}, scheduler: {gates}}
	for _, part := range c.components() {
		for _, flag := range []string{gates, versions} {
			assert.Equal(t, slices.Contains(want[part.name], flag), slices.Contains(part.args, flag), "%s %s", part.name, flag)
		}
	}
	for _, part := range (&kwokNodes{&cluster{}}).components() {
		assert.NotContains(t, strings.Join(part.args, " "), "--feature-gates", part.name)
	}
}

func TestNodesAreNumberedThroughGroups(t *testing.T) {
	gpu := resource.MustParse("2")
	c := &cluster{Cluster: Cluster{Name: "a", Runtime: RuntimeKwok, Nodes: []NodeGroup{
		{Count: 1, CPU: resource.MustParse("8"), Memory: resource.MustParse("32Gi"), Pods: 110, Labels: map[string]string{"x": "y"}},
		{Count: 2, CPU: resource.MustParse("1"), Memory: resource.MustParse("1Gi"), Pods: 500, GPU: &gpu},
	}}}

	nodes := c.nodes()

	require.Len(t, nodes, 3)
	assert.Equal(t, []string{"a-1", "a-2", "a-3"}, []string{nodes[0].Name, nodes[1].Name, nodes[2].Name})
	assert.Equal(t, "y", nodes[0].Labels["x"])
	assert.Equal(t, "kwok", nodes[0].Labels["type"], "or kwok does not manage it")
	assert.NotContains(t, nodes[0].Status.Allocatable, resourceGPU)
	assert.Equal(t, gpu, nodes[2].Status.Allocatable[resourceGPU])
	assert.EqualValues(t, 500, nodes[2].Status.Allocatable.Pods().Value())
}

func TestBinariesNeedGoOnlyWhenOneIsMissing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)

	err := buildBinaries(t.Context(), dir, Default().withRuntime(RuntimeKwok).binaries(), newSteps(&bytes.Buffer{}))
	require.ErrorContains(t, err, "needs Go 1.26 or later")
	require.ErrorContains(t, err, "SPILLWAY_BIN_DIR")
	require.ErrorContains(t, err, "kube-apiserver")

	for _, b := range binaries {
		require.NoError(t, os.WriteFile(filepath.Join(dir, b.name), nil, 0o700))
	}
	assert.NoError(t, buildBinaries(t.Context(), dir, Default().withRuntime(RuntimeKwok).binaries(), newSteps(&bytes.Buffer{})))
}

func TestModulesHaveTheVersionsThatWeName(t *testing.T) {
	tests := map[string]struct{ module, line string }{
		"Kubernetes": {"kubernetes", "k8s.io/kubernetes " + KubernetesVersion},
		"etcd":       {"kubernetes", "go.etcd.io/etcd/server/v3 " + EtcdVersion},
		"kwok":       {"kwok", "sigs.k8s.io/kwok " + KwokVersion},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			mod, err := modules.ReadFile("binaries/" + test.module + "/" + test.module + ".mod")
			require.NoError(t, err)
			assert.True(t, bytes.Contains(mod, []byte("\t"+test.line)), test.line)
		})
	}
	for _, b := range binaries {
		if b.pkg == "." {
			continue // a module of its own
		}
		mod, err := modules.ReadFile("binaries/" + b.module + "/" + b.module + ".mod")
		require.NoError(t, err)
		_, tools, _ := bytes.Cut(mod, []byte("\ntool "))
		assert.True(t, bytes.Contains(tools, []byte(b.pkg+"\n")), "%s is no tool: go mod tidy would drop what it needs", b.pkg)
	}
}

func TestStepsOffATerminal(t *testing.T) {
	var out bytes.Buffer
	s := newSteps(&out)

	for _, err := range []error{nil, errors.New("no"), fmt.Errorf("waiting: %w", context.Canceled)} {
		assert.Equal(t, err, s.do("step", func() error { return err }))
	}

	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	assert.Equal(t, []string{"• step", "✓ step (0s)", "• step", "✗ step (0s)", "• step", "- step (0s)"}, lines)
}

func TestTailIsShort(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(file, []byte("1\n2\n"+strings.Repeat("x", 400)+"\n3\n"), 0o600))

	got := strings.Split(tail(file, 2), "\n")

	require.Len(t, got, 2)
	assert.Len(t, []rune(got[0]), 4+300)
	assert.Equal(t, "    3", got[1])
	assert.Contains(t, tail(file+"x", 2), "no such file")
}

func TestComponentErrorFollowsItsLog(t *testing.T) {
	err := error(&ComponentError{Cluster: "heata", Component: "etcd", Err: errEnded, Log: "/a/heata/etcd.log"})

	moveLog(err, "/a", "/b")

	assert.True(t, IsComponent(err))
	assert.ErrorContains(t, err, "/b/heata/etcd.log")
	assert.ErrorIs(t, err, errEnded)
}
