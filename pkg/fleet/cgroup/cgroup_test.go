package cgroup

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHierarchies(t *testing.T) {
	tests := map[string]struct {
		files     []string
		wantProcs string
		wantRoots int
	}{
		"version 2":                  {[]string{"cgroup.controllers", "cgroup.procs", "system.slice/cgroup.procs"}, "x/node/cgroup.procs", 1},
		"version 1":                  {[]string{"cpu/cgroup.procs", "pids/cgroup.procs", "memory/cgroup.procs"}, "pids/x/node/cgroup.procs", 3},
		"version 1 beside version 2": {[]string{"memory/cgroup.procs", "unified/cgroup.procs"}, "memory/x/node/cgroup.procs", 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			for _, file := range test.files {
				require.NoError(t, os.MkdirAll(filepath.Join(base, filepath.Dir(file)), 0o700))
				require.NoError(t, os.WriteFile(filepath.Join(base, file), nil, 0o600))
			}

			tree, err := New(base, "x")

			require.NoError(t, err)
			assert.Equal(t, filepath.Join(base, test.wantProcs), tree.Procs())
			assert.Equal(t, "/x", tree.Path())
			assert.Len(t, tree.roots, test.wantRoots, "%v", tree.roots)
		})
	}
}

func TestMachineWithoutCgroups(t *testing.T) {
	_, err := New(t.TempDir(), "x")

	assert.ErrorContains(t, err, "no cgroups are mounted")
}

// On the machine's own cgroups, because nothing else removes a folder with files in it.
func TestKillEndsOrphansAndRemoveLeavesNothing(t *testing.T) {
	tree, err := New(Base, fmt.Sprintf("spillway-test-%d", os.Getpid()))
	if err != nil {
		t.Skip(err)
	}
	if err := tree.Create(); err != nil {
		t.Skip("needs root, and cgroups that may be written: ", err)
	}
	t.Cleanup(func() { _ = tree.Remove() })
	// The child of a shell that ends is nobody's we know.
	script := `echo $$ >"$1"; sleep 600 >/dev/null 2>&1 & echo $!`
	out, err := exec.Command("sh", "-c", script, "sh", tree.Procs()).Output()
	if err != nil {
		t.Skip("no process can be put into a cgroup here: ", err)
	}
	pids, err := tree.pids()
	require.NoError(t, err)
	require.Equal(t, strings.TrimSpace(string(out)), fmt.Sprint(pids[0]))

	require.NoError(t, tree.Kill(t.Context()))
	require.NoError(t, tree.Remove())

	for _, root := range tree.roots {
		assert.NoDirExists(t, filepath.Join(root, tree.name))
	}
	require.NoError(t, tree.Kill(t.Context()), "twice is no error")
	require.NoError(t, tree.Remove())
}
