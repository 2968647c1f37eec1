package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// usesAreTold: what `kubectl top` and autoscalers are made of.
func (k *containers) usesAreTold(t *testing.T) {
	k.createElected("busy", onNodeOf("alpha"), command("sh", "-c", "while :; do :; done"))
	k.expectPhase(t, "busy", corev1.PodRunning)
	reader := k.givenAccount(t)
	k.allow(t, reader, "nodes/metrics")

	for _, metric := range []string{"container_cpu_usage_seconds_total", "container_memory_working_set_bytes", "container_start_time_seconds"} {
		line := fmt.Sprintf(`%s{container="main",namespace=%q,pod="busy"}`, metric, k.name)
		expectEventually(t, late, line, func(context.Context) error {
			code, body := k.askNode(t, "alpha", "/metrics/resource", k.token(t, reader))
			if code != http.StatusOK {
				return fmt.Errorf("%d: %s", code, body)
			}
			return containsAll(body, line, "resource_scrape_error 0", "node_cpu_usage_seconds_total", "node_memory_working_set_bytes")
		})
	}
	require.NoError(t, k.kubectlCommand(t, "delete", "pod", "busy", "--now").Run())
}

// refusalsName: what a user reads is what a kubelet here would say, of the pod that they know, and who said it.
func (k *containers) refusalsName(t *testing.T) {
	k.createElected("talker", never, onNodeOf("alpha"), command("sh", "-c", "exit 0"))
	k.expectPhase(t, "talker", corev1.PodSucceeded)
	k.createElected("stuck", onNodeOf("alpha"), image("nowhere.invalid/none:1"))
	tests := map[string]struct {
		args []string
		want string
	}{
		"a log that is not there yet":     {[]string{"logs", "stuck"}, `container "main" in pod "stuck" is waiting to start`},
		"a container that does not run":   {[]string{"exec", "stuck", "--", "true"}, `container not found ("main") (target "alpha")`},
		"a container that does not exist": {[]string{"logs", "talker", "-c", "none"}, "container none is not valid for pod talker"},
		"a pod that has ended":            {[]string{"exec", "talker", "--", "true"}, "cannot exec into a container in a completed pod"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			expectEventually(t, soon, test.want, func(context.Context) error {
				out, err := k.kubectlCommand(t, test.args...).CombinedOutput()
				if err == nil {
					return fmt.Errorf("kubectl %v had no error: %s", test.args, out)
				}
				return containsAll(string(out), test.want)
			})
		})
	}
}

// losesATarget ends a target's API server under a log and a command, and starts it again.
func (k *containers) losesATarget(t *testing.T) {
	k.createElected("lost", onNodeOf("beta"), command("sh", "-c", "while :; do date; sleep 1; done"))
	k.expectPhase(t, "lost", corev1.PodRunning)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	defer func() { _ = log.Close() }()
	following, running := k.kubectlCommand(t, "logs", "-f", "lost"), k.kubectlCommand(t, "exec", "lost", "--", "sleep", "100000")
	following.Stdout = log
	require.NoError(t, following.Start())
	require.NoError(t, running.Start())
	expectEventually(t, soon, "the command to run", func(context.Context) error {
		return containsAll(k.kubectl(t, "", "exec", "lost", "--", "ps"), "sleep 100000")
	})
	expectEventually(t, soon, "the log to begin", func(context.Context) error { return containsAll(read(t, log.Name()), "UTC") })

	require.NoError(t, k.fleet.Stop(t.Context(), "beta", "kube-apiserver"))
	t.Cleanup(func() { assert.NoError(t, k.fleet.Start(context.Background(), "beta", "kube-apiserver")) })

	_ = following.Wait() // the API server ends it in good order, whatever happened
	require.Error(t, running.Wait(), "half a command must not look like a whole one")
	assert.Regexp(t, `\[the log breaks off here: the connection to target "beta" was lost .*\]\n$`, read(t, log.Name()))
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(data)
}

// image has the pod's container run another one.
func image(name string) change {
	return func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) { spec.Containers[0].Image = name }
}
