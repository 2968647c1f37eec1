package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Simulated nodes say nothing, so the scenarios say it for them.
func TestWhatHappensToADelegateIsToldOnItsPod(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(cloud.name))
	s.createElected("web")
	pod := s.expectRunningOn("web", cloud.name)
	sent := s.expectDelegate(cloud, pod)

	said := cloud.say(t, sent, "BackOff", "Back-off restarting failed container")
	told := s.expectTold(pod, "BackOff", 1)

	assert.Equal(t, corev1.EventSource{Component: "kubelet", Host: "cloud"}, told.Source)
	assert.Equal(t, corev1.EventTypeWarning, told.Type)
	assert.Equal(t, "target cloud: Back-off restarting failed container", told.Message)
	assert.Equal(t, "spec.containers{main}", told.InvolvedObject.FieldPath)
	cloud.sayAgain(t, said, 7)
	again := s.expectTold(pod, "BackOff", 7)
	assert.Equal(t, told.UID, again.UID, "it is the same event")
}

func TestARestartedControllerTellsOnlyWhatWasNotToldYet(t *testing.T) {
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(cloud.name))
	s.createElected("web")
	pod := s.expectRunningOn("web", cloud.name)
	sent := s.expectDelegate(cloud, pod)
	cloud.say(t, sent, "Pulled", "before the crash")
	before := s.expectTold(pod, "Pulled", 1)

	killController(t)
	cloud.say(t, sent, "Unhealthy", "while it was down")
	startController(t)

	s.expectTold(pod, "Unhealthy", 1)
	cloud.say(t, sent, "Killing", "after it")
	s.expectTold(pod, "Killing", 1)
	assert.Equal(t, before.ResourceVersion, s.expectTold(pod, "Pulled", 1).ResourceVersion, "it was not written again")
}

// say makes an event about a pod, as a kubelet does.
func (c *cluster) say(t *testing.T, about *corev1.Pod, reason, message string) *corev1.Event {
	t.Helper()
	now := metav1.NewTime(time.Now())
	said, err := c.kube.CoreV1().Events(about.Namespace).Create(t.Context(), &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{GenerateName: about.Name + "."},
		InvolvedObject: corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: about.Namespace, Name: about.Name, UID: about.UID,
			FieldPath: "spec.containers{main}"},
		Reason: reason, Message: message, Type: corev1.EventTypeWarning, Source: corev1.EventSource{Component: "kubelet", Host: "n"},
		FirstTimestamp: now, LastTimestamp: now, Count: 1,
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	return said
}

func (c *cluster) sayAgain(t *testing.T, said *corev1.Event, count int) {
	t.Helper()
	_, err := c.kube.CoreV1().Events(said.Namespace).Patch(t.Context(), said.Name, types.MergePatchType,
		fmt.Appendf(nil, `{"count":%d}`, count), metav1.PatchOptions{})
	require.NoError(t, err)
}

// expectTold waits until a pod has exactly one event of this reason, with this count.
func (s *space) expectTold(pod *corev1.Pod, reason string, count int32) *corev1.Event {
	s.t.Helper()
	var told *corev1.Event
	expectEventually(s.t, soon, fmt.Sprintf("pod %s to have the event %s, %d times", pod.Name, reason, count), func(ctx context.Context) error {
		list, err := s.kube.CoreV1().Events(s.name).List(ctx, metav1.ListOptions{
			FieldSelector: "reason=" + reason + ",involvedObject.uid=" + string(pod.UID)})
		if err != nil {
			return err
		}
		if n := len(list.Items); n != 1 {
			return fmt.Errorf("there are %d", n)
		}
		if told = &list.Items[0]; told.Count != count {
			return fmt.Errorf("it is told %d times", told.Count)
		}
		return nil
	})
	return told
}
