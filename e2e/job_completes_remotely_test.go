package e2e

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// captureHeat is the node selector of Heata's guide: only nodes of one target have the label.
func captureHeat(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
	spec.NodeSelector = map[string]string{"role.heata.co/capture-heat": "true"}
}

func TestAnElectedJobCompletesRemotelyAndItsStatusAndLogsComeHome(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)

	job := s.createJob("render", 3, captureHeat)

	done := s.expectJobComplete(job.Name)
	assert.EqualValues(t, 3, done.Status.Succeeded)
	assert.Zero(t, done.Status.Failed)
	pods, err := s.list(t.Context())
	require.NoError(t, err)
	require.Len(t, pods, 3)
	for _, pod := range pods {
		assert.True(t, onTarget(&pod, heata.name), "%s", describe(&pod))
		assert.Equal(t, corev1.PodSucceeded, pod.Status.Phase)
		require.Len(t, pod.Status.ContainerStatuses, 1)
		require.NotNil(t, pod.Status.ContainerStatuses[0].State.Terminated)
		assert.Equal(t, "Completed", pod.Status.ContainerStatuses[0].State.Terminated.Reason)
		assert.Equal(t, heata.name, s.record(pod.Name).Target)
		s.expectDelegate(heata, &pod)
	}
	assert.Contains(t, s.logs(pods[0].Name, &corev1.PodLogOptions{}), "hello from cluster heata")
}

func TestLogsOfARunningPodAreReadThroughTheSource(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(cloud.name))
	s.createElected("talker")
	s.expectRunningOn("talker", cloud.name)

	whole := s.logs("talker", &corev1.PodLogOptions{})
	lines := strings.Split(strings.TrimSpace(whole), "\n")
	require.Greater(t, len(lines), 1)
	last := lines[len(lines)-1]

	assert.Contains(t, whole, "hello from cluster cloud")
	assert.Equal(t, last, strings.TrimSpace(s.logs("talker", &corev1.PodLogOptions{TailLines: ptr.To[int64](1)})))
	assert.Equal(t, whole, s.logs("talker", &corev1.PodLogOptions{Container: "main"}))
	assert.Contains(t, s.logs("talker", &corev1.PodLogOptions{Previous: true}), "an earlier, simulated container")
	stamp, text, _ := strings.Cut(strings.TrimSpace(s.logs("talker", &corev1.PodLogOptions{TailLines: ptr.To[int64](1), Timestamps: true})), " ")
	assert.Equal(t, last, text)
	_, err := time.Parse(time.RFC3339Nano, stamp)
	assert.NoError(t, err)

	answer, err := s.kube.CoreV1().Pods(s.name).GetLogs("talker", &corev1.PodLogOptions{Container: "nobody"}).DoRaw(t.Context())
	assert.True(t, apierrors.IsBadRequest(err), "%v", err)
	assert.Contains(t, string(answer), "container nobody is not valid for pod talker")
}

func TestLogsAreFollowed(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(cloud.name))
	s.createElected("talker")
	s.expectRunningOn("talker", cloud.name)
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()

	stream, err := s.kube.CoreV1().Pods(s.name).GetLogs("talker", &corev1.PodLogOptions{Follow: true}).Stream(ctx)
	require.NoError(t, err)
	defer func() { _ = stream.Close() }()

	lines := bufio.NewScanner(stream)
	require.True(t, lines.Scan(), "a stream that is followed shows what is there before it ends: %v", lines.Err())
	assert.Contains(t, lines.Text(), "hello from cluster cloud")
}

// logs reads a pod's log through the source's API server, as kubectl does.
func (s *space) logs(pod string, options *corev1.PodLogOptions) string {
	s.t.Helper()
	var log []byte
	expectEventually(s.t, soon, "the log of "+pod, func(ctx context.Context) (err error) {
		if log, err = s.kube.CoreV1().Pods(s.name).GetLogs(pod, options).DoRaw(ctx); err != nil {
			return fmt.Errorf("%w: %s", err, log)
		}
		return nil
	})
	return string(log)
}
