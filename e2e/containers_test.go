package e2e

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/utils/ptr"

	"github.com/spillway-dev/spillway/pkg/fleet"
)

//go:embed containers.yaml
var containersConfig []byte

// command runs a command in the pod's container.
func command(args ...string) change {
	return func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) { spec.Containers[0].Command = args }
}

// limitedTo gives the pod's container that much memory and no more.
func limitedTo(memory string) change {
	return func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
		spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(memory)}
	}
}

func never(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
	spec.RestartPolicy = corev1.RestartPolicyNever
}

func onNodeOf(name string) change {
	return func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
		spec.NodeSelector = map[string]string{"example.com/cluster": name}
	}
}

func TestRealContainersAreReachedThroughTheSourceAndLeaveNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "fleet")
	if err := fleet.CheckContainerd(dir); err != nil {
		t.Skip("no real containers on this machine: ", err)
	}
	k := givenContainers(t, dir)

	t.Run("a Job runs, and its log ends with it", k.jobRuns)
	t.Run("a container that takes too much memory is killed, and it shows", k.outOfMemory)
	t.Run("exec, cp and port-forward reach a container in either cluster", k.kubectlWorks)
	t.Run("streams that say nothing stay open", k.idleStreamsStay)
	t.Run("a pod reaches its own API server as a Service", k.reachesItsAPI)
	t.Run("the API server is a proxy to the virtual node", k.isProxiedTo)
	t.Run("kubectl describe shows what the target's kubelet says", k.eventsComeHome)
	t.Run("kubectl debug gets a shell beside a container", k.debugWorks)
	t.Run("a container is resized in place", k.resizes)
	t.Run("a pod is resized as a whole", k.resizesAsAWhole)
	t.Run("a second deletion with less grace gets there", k.graceShrinks)
	t.Run("a pod that is deleted at once, and that a finalizer keeps, says how it ended", k.endIsTold)
	t.Run("a change of image restarts the container", k.imageChanges)
	t.Run("what a container uses is told by the virtual node", k.usesAreTold)
	t.Run("what a target refuses names the source pod and the target", k.refusalsName)
	t.Run("a log and a command whose target is lost do not look whole", k.losesATarget)
}

// containers is a space in a fleet with real nodes.
type containers struct {
	*space
	fleet *fleet.Fleet
}

// givenContainers starts a fleet in dir. The scenario ends with it, and with what it left: pods are still running then.
func givenContainers(t *testing.T, dir string) *containers {
	t.Helper()
	before := traces(t, dir)
	config, err := fleet.Parse(containersConfig)
	require.NoError(t, err)
	f, err := fleet.Up(t.Context(), fleet.Options{
		Name: fmt.Sprintf("containers-%d", os.Getpid()), Dir: dir, Config: config, Runtime: fleet.RuntimeContainerd, Out: os.Stdout,
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, fleet.Down(context.Background(), dir, os.Stdout))
		assert.NoDirExists(t, dir)
		assert.Equal(t, before, traces(t, dir))
	})
	source, err := newClusterOf(f, "source")
	require.NoError(t, err)
	return &containers{givenNamespace(t, source, burst), f}
}

func (k *containers) jobRuns(t *testing.T) {
	pod := k.createElected("job", never, onNodeOf("alpha"), command("sh", "-c", "echo begin; sleep 2; echo $HOSTNAME ends"))
	k.expectPhase(t, pod.Name, corev1.PodRunning)

	log := k.kubectl(t, "", "logs", "-f", pod.Name) // returns, or the scenario runs out of time

	assert.Equal(t, "begin\njob ends\n", log)
	k.expectPhase(t, pod.Name, corev1.PodSucceeded)
}

func (k *containers) outOfMemory(t *testing.T) {
	k.createElected("greedy", never, onNodeOf("beta"), limitedTo("32Mi"), command("tail", "/dev/zero"))

	k.expectPhase(t, "greedy", corev1.PodFailed)
	status := k.getPod("greedy").Status.ContainerStatuses[0].State.Terminated
	require.NotNil(t, status)
	assert.Equal(t, "OOMKilled", status.Reason)
	assert.EqualValues(t, 137, status.ExitCode)
}

func (k *containers) kubectlWorks(t *testing.T) {
	for _, name := range []string{"alpha", "beta"} {
		k.createElected(name, onNodeOf(name), command("httpd", "-f", "-p", "8080", "-h", "/tmp"))
	}
	for _, name := range []string{"alpha", "beta"} {
		k.expectPhase(t, name, corev1.PodRunning)

		assert.Equal(t, "6\n", k.kubectl(t, "hello\n", "exec", "-i", name, "--", "wc", "-c"))
		assert.Contains(t, k.terminal(t, name, "sleep 1; stty size; exit\n"), "24 80")

		file := filepath.Join(t.TempDir(), "page.html")
		require.NoError(t, os.WriteFile(file, []byte("from "+name), 0o600))
		k.kubectl(t, "", "cp", file, name+":/tmp/page.html")
		assert.Equal(t, "from "+name, k.kubectl(t, "", "exec", name, "--", "cat", "/tmp/page.html"))

		assert.Equal(t, "from "+name, get(t, k.forwards(t, name), "/page.html"))
	}
}

func (k *containers) reachesItsAPI(t *testing.T) {
	out := k.kubectl(t, "", "exec", "alpha", "--", "sh", "-c",
		`nc -w 5 "$KUBERNETES_SERVICE_HOST" "$KUBERNETES_SERVICE_PORT" </dev/null && echo "$KUBERNETES_SERVICE_HOST is reached"`)

	assert.Regexp(t, `^10\.201\.\d+\.1 is reached\n$`, out)
}

func (k *containers) isProxiedTo(t *testing.T) {
	out := k.kubectl(t, "", "get", "--raw", "/api/v1/nodes/spillway-alpha/proxy/pods")

	assert.Contains(t, out, `"name":"alpha"`)
}

func (k *containers) eventsComeHome(t *testing.T) {
	expectEventually(t, soon, "kubectl describe to show events of alpha", func(context.Context) error {
		return containsAll(k.kubectl(t, "", "describe", "pod", "alpha"), "kubelet", "target alpha: Container created", "target alpha: Container started")
	})
}

func (k *containers) debugWorks(t *testing.T) {
	k.kubectl(t, "echo seen from $HOSTNAME; exit\n", "debug", "-i", "alpha", "--image=busybox:1.37", "-c", "look", "--", "sh")

	k.expectThat(t, "alpha", "tell how its debugger ended", func(pod *corev1.Pod) bool {
		ended := pod.Status.EphemeralContainerStatuses
		return len(ended) == 1 && ended[0].Name == "look" && ended[0].State.Terminated != nil && ended[0].State.Terminated.ExitCode == 0
	})
	// Not what kubectl debug printed: with an input that ends it detaches, also from a pod of the target itself, mostly
	// before the shell has said anything.
	assert.Contains(t, k.kubectl(t, "", "logs", "alpha", "-c", "look"), "seen from alpha")
}

func (k *containers) resizes(t *testing.T) {
	before := k.getPod("alpha")

	k.kubectl(t, "", "patch", "pod", "alpha", "--subresource=resize", "-p",
		`{"spec":{"containers":[{"name":"main","resources":{"requests":{"cpu":"77m"}}}]}}`)

	after := k.expectThat(t, "alpha", "have what it was resized to", func(pod *corev1.Pod) bool {
		status := pod.Status.ContainerStatuses[0]
		return status.Resources != nil && status.Resources.Requests.Cpu().String() == "77m" && status.AllocatedResources.Cpu().String() == "77m" &&
			pod.Status.ObservedGeneration == pod.Generation
	})
	assert.Greater(t, after.Generation, before.Generation)
	assert.Equal(t, before.Status.ContainerStatuses[0].ContainerID, after.Status.ContainerStatuses[0].ContainerID, "in place")
}

func (k *containers) resizesAsAWhole(t *testing.T) {
	k.createElected("whole", onNodeOf("alpha"), func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
		spec.Resources = &corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("300m")}}
		spec.TerminationGracePeriodSeconds = ptr.To[int64](0)
	})
	k.expectPhase(t, "whole", corev1.PodRunning)

	k.kubectl(t, "", "patch", "pod", "whole", "--subresource=resize", "-p", `{"spec":{"resources":{"limits":{"cpu":"400m"}}}}`)

	k.expectThat(t, "whole", "have what it was resized to", func(pod *corev1.Pod) bool {
		return pod.Status.Resources != nil && pod.Status.Resources.Limits.Cpu().String() == "400m" && pod.Status.ObservedGeneration == pod.Generation
	})
}

func (k *containers) graceShrinks(t *testing.T) {
	k.createElected("stubborn", onNodeOf("alpha"), command("sh", "-c", "trap '' TERM; while true; do sleep 1; done"),
		func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
			spec.TerminationGracePeriodSeconds = ptr.To[int64](600)
		})
	k.expectPhase(t, "stubborn", corev1.PodRunning)
	pod := k.getPod("stubborn")

	k.deletePod("stubborn", nil)
	k.expectGrace(t, pod, func(seconds int64) bool { return seconds == 600 })
	k.deletePod("stubborn", ptr.To[int64](2))

	k.expectGrace(t, pod, func(seconds int64) bool { return seconds <= 2 }) // what a kubelet then does is its own affair
}

// expectGrace waits until the delegate of a pod in alpha is being deleted with so much grace.
func (k *containers) expectGrace(t *testing.T, pod *corev1.Pod, enough func(seconds int64) bool) {
	t.Helper()
	alpha, err := newClusterOf(k.fleet, "alpha")
	require.NoError(t, err)
	k.expectDelegateTo(alpha, pod, "have the grace of its source", func(d *corev1.Pod) error {
		if grace := ptr.Deref(d.DeletionGracePeriodSeconds, -1); grace < 0 || !enough(grace) {
			return fmt.Errorf("its grace is %d s", grace)
		}
		return nil
	})
}

func (k *containers) endIsTold(t *testing.T) {
	k.createElected("kept", onNodeOf("alpha"), command("sh", "-c", "trap 'exit 7' TERM; while true; do sleep 0.1; done"),
		func(meta *metav1.ObjectMeta, _ *corev1.PodSpec) { meta.Finalizers = []string{"example.com/hold"} })
	k.expectPhase(t, "kept", corev1.PodRunning)

	k.deletePod("kept", ptr.To[int64](0))

	k.expectThat(t, "kept", "have ended as its container did", func(pod *corev1.Pod) bool {
		ended := pod.Status.ContainerStatuses[0].State.Terminated
		return pod.Status.Phase == corev1.PodFailed && ended != nil && ended.ExitCode == 7
	})
	k.kubectl(t, "", "patch", "pod", "kept", "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)
}

func (k *containers) imageChanges(t *testing.T) {
	before := k.getPod("beta")

	k.kubectl(t, "", "set", "image", "pod/beta", "main=docker.io/library/busybox:1.37")

	k.expectThat(t, "beta", "run the new image", func(pod *corev1.Pod) bool {
		status := pod.Status.ContainerStatuses[0]
		return status.RestartCount == before.Status.ContainerStatuses[0].RestartCount+1 && status.State.Running != nil &&
			pod.Status.ObservedGeneration == pod.Generation
	})
}

// expectThat waits until a pod is as check wants it.
func (k *containers) expectThat(t *testing.T, name, what string, check func(pod *corev1.Pod) bool) *corev1.Pod {
	t.Helper()
	var pod *corev1.Pod
	expectEventually(t, late, "pod "+name+" to "+what, func(ctx context.Context) (err error) {
		if pod, err = k.kube.CoreV1().Pods(k.name).Get(ctx, name, metav1.GetOptions{}); err == nil && !check(pod) {
			err = fmt.Errorf("its status is %+v", pod.Status)
		}
		return err
	})
	return pod
}

func (k *containers) expectPhase(t *testing.T, name string, phase corev1.PodPhase) {
	t.Helper()
	expectEventually(t, late, fmt.Sprintf("pod %s to be %s", name, phase), func(ctx context.Context) error {
		pod, err := k.kube.CoreV1().Pods(k.name).Get(ctx, name, metav1.GetOptions{})
		if err == nil && pod.Status.Phase != phase {
			err = fmt.Errorf("%s", describe(pod))
		}
		return err
	})
}

// kubectl runs kubectl as a user of the source cluster would, and returns what it says.
func (k *containers) kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd := k.kubectlCommand(t, args...)
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	require.NoError(t, cmd.Run(), "kubectl %v: %s", args, &errOut)
	return out.String()
}

func (k *containers) kubectlCommand(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), k.fleet.Binary("kubectl"), append([]string{"-n", k.name}, args...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+k.fleet.Kubeconfig(k.fleet.Source()))
	return cmd
}

// terminal runs a shell on a terminal of 80 columns and 24 lines, as `kubectl exec -it` does, and returns what it shows.
func (k *containers) terminal(t *testing.T, pod, typed string) string {
	t.Helper()
	request := k.kube.CoreV1().RESTClient().Post().Resource("pods").Namespace(k.name).Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Command: []string{"sh"}, Stdin: true, Stdout: true, TTY: true}, scheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(k.config, http.MethodGet, request.URL().String())
	require.NoError(t, err)
	open, keyboard := io.Pipe() // a terminal does not end with what was typed
	defer func() { _ = keyboard.Close() }()
	var out bytes.Buffer
	require.NoError(t, executor.StreamWithContext(t.Context(), remotecommand.StreamOptions{
		Stdin: io.MultiReader(strings.NewReader(typed), open), Stdout: &out, Tty: true, TerminalSizeQueue: &sizes{{Width: 80, Height: 24}},
	}))
	return out.String()
}

// sizes are those that a terminal takes on, one after the other.
type sizes []remotecommand.TerminalSize

func (s *sizes) Next() *remotecommand.TerminalSize {
	if len(*s) == 0 {
		return nil
	}
	next := (*s)[0]
	*s = (*s)[1:]
	return &next
}

// forwards returns where a pod's port 8080 is reached by a port-forward, until the scenario ends.
func (k *containers) forwards(t *testing.T, pod string) string {
	t.Helper()
	cmd := k.kubectlCommand(t, "port-forward", pod, ":8080")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line := make([]byte, 200)
	n, err := out.Read(line)
	require.NoError(t, err)
	local := regexp.MustCompile(`127\.0\.0\.1:\d+`).Find(line[:n])
	require.NotNil(t, local, "%s", line[:n])
	return string(local)
}

func get(t *testing.T, address, path string) string {
	t.Helper()
	response, err := http.Get("http://" + address + path)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(body)
}

// traces are what a node could leave on this machine.
func traces(t *testing.T, dir string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for what, pattern := range map[string]string{
		"interfaces": "/sys/class/net/spw*", "cgroups": "/sys/fs/cgroup/spillway-*", "cgroups of version 1": "/sys/fs/cgroup/*/spillway-*",
		"kubelet": "/var/lib/kubelet*", "containerd": "/run/containerd/*", "pod logs": "/var/log/pods/*",
	} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		found[what] = files
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	found["mounts"] = nil
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, dir) {
			found["mounts"] = append(found["mounts"], line)
		}
	}
	return found
}
