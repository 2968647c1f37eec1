package e2e

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

// idleVariable is for how long streams say nothing. CI leaves it at a moment; `SPILLWAY_E2E_IDLE=1h` takes its time.
const idleVariable = "SPILLWAY_E2E_IDLE"

func idleTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv(idleVariable)
	if text == "" {
		return 3 * time.Second
	}
	idle, err := time.ParseDuration(text)
	require.NoError(t, err, idleVariable)
	return idle
}

// idleStreamsStay: a shell that somebody comes back to, a log that has nothing to say, a port that nobody connects to.
func (k *containers) idleStreamsStay(t *testing.T) {
	k.createElected("quiet", onNodeOf("alpha"), command("sh", "-c",
		"echo begins; httpd -p 8080 -h /tmp; until [ -e /tmp/go ]; do sleep 1; done; echo ends; exec sleep 100000"))
	k.expectPhase(t, "quiet", corev1.PodRunning)
	k.kubectl(t, "", "exec", "quiet", "--", "sh", "-c", "echo served >/tmp/page.html")
	shells := map[string]*shell{"WebSocket": k.opens(t, "quiet"), "SPDY": k.opens(t, "quiet", "KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false")}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	defer func() { _ = log.Close() }()
	following := k.kubectlCommand(t, "logs", "-f", "quiet")
	following.Stdout = log
	require.NoError(t, following.Start())
	defer func() { _ = following.Process.Kill(); _ = following.Wait() }()
	address := k.forwards(t, "quiet")

	time.Sleep(idleTime(t))

	for over, open := range shells {
		assert.Equal(t, "still here\n", open.says(t, "echo still here; exit\n"), over)
	}
	assert.Equal(t, "served\n", get(t, address, "/page.html"))
	k.kubectl(t, "", "exec", "quiet", "--", "touch", "/tmp/go")
	expectEventually(t, soon, "the log to go on", func(context.Context) error { return containsAll(read(t, log.Name()), "begins\nends\n") })
}

// shell is one that waits for what it is told.
type shell struct {
	cmd      *exec.Cmd
	keyboard io.WriteCloser
	out, err *bytes.Buffer
}

func (k *containers) opens(t *testing.T, pod string, environment ...string) *shell {
	t.Helper()
	s := &shell{cmd: k.kubectlCommand(t, "exec", "-i", pod, "--", "sh"), out: &bytes.Buffer{}, err: &bytes.Buffer{}}
	s.cmd.Env = append(s.cmd.Env, environment...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.err
	var err error
	s.keyboard, err = s.cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, s.cmd.Start())
	return s
}

func (s *shell) says(t *testing.T, typed string) string {
	t.Helper()
	_, err := io.WriteString(s.keyboard, typed)
	require.NoError(t, err)
	require.NoError(t, s.cmd.Wait(), "%s", s.err)
	return s.out.String()
}
