package fleet

import (
	"context"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestProcessLivesFromStartToStop(t *testing.T) {
	dir := t.TempDir()
	p, err := newProcess(dir, "sleeper", "/bin/sh", []string{"-c", "echo hello; exec sleep 60"}).start()
	require.NoError(t, err)
	require.True(t, p.alive())

	loaded, err := loadProcess(filepath.Join(dir, "sleeper.json"))
	require.NoError(t, err)
	assert.Equal(t, p, loaded, "the file tells all of it")
	assert.Equal(t, "sleeper", loaded.component())
	assert.Equal(t, filepath.Base(dir), loaded.cluster())

	require.Eventually(t, func() bool { return tail(p.log(), 1) == "    hello" }, stopGrace, pollInterval)
	require.NoError(t, loaded.stop(context.Background(), syscall.SIGTERM))
	assert.False(t, p.alive())
	assert.NoError(t, p.stop(context.Background(), syscall.SIGTERM), "stopping twice is no error")
}

func TestProcessThatIgnoresSIGTERMIsKilled(t *testing.T) {
	dir := t.TempDir()
	ready := filepath.Join(dir, "ready")
	p, err := newProcess(dir, "stubborn", "/bin/sh", []string{"-c", `trap "" TERM; touch ` + ready + `; while :; do sleep 0.1; done`}).start()
	require.NoError(t, err)
	require.Eventually(t, func() bool { return exists(ready) }, stopGrace, pollInterval)

	require.NoError(t, p.stop(context.Background(), syscall.SIGTERM))

	assert.False(t, p.alive())
}

// The id of a fleet's process may, long after it ended, be the id of somebody's editor.
func TestProcessWhoseIDAnotherOneHasIsLeftAlone(t *testing.T) {
	other, err := newProcess(t.TempDir(), "other", "/bin/sleep", []string{"60"}).start()
	require.NoError(t, err)
	defer func() { _ = other.stop(context.Background(), syscall.SIGKILL) }()
	ours := other
	ours.Started = "1"

	require.NoError(t, ours.stop(context.Background(), syscall.SIGKILL))

	assert.False(t, ours.alive())
	assert.True(t, other.alive())
}

func TestProcessThatCannotStart(t *testing.T) {
	_, err := newProcess(t.TempDir(), "none", "/does/not/exist", nil).start()

	assert.ErrorContains(t, err, "starting none: ")
}

func TestParseStat(t *testing.T) {
	rest := func(state string) string { return state + " " + strings.Repeat("0 ", 18) + "4711 0 0\n" }
	tests := map[string]struct {
		stat string
		want string
	}{
		"a running process":                       {"12 (etcd) " + rest("S"), "4711"},
		"a name with spaces and parentheses":      {"12 (a) S b) (c) " + rest("R"), "4711"},
		"a zombie is gone":                        {"12 (etcd) " + rest("Z"), ""},
		"a dead process is gone":                  {"12 (etcd) " + rest("X"), ""},
		"a file that was cut short tells nothing": {"12 (etcd) S 1 2", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.want, parseStat(test.stat)) })
	}
}

func TestFreePortsAreDifferentAndFree(t *testing.T) {
	free, err := freePorts(50)
	require.NoError(t, err)

	seen := map[int]bool{}
	for _, port := range free {
		assert.False(t, seen[port], "port %d twice", port)
		seen[port] = true
	}
}
