package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestATargetThatDeletesEveryDelegateIsGivenUpForAWhile(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly("spare"))
	target := s.givenSpare(nil)
	spare.givenNamespace(t, s.name)
	stop := s.deleteEveryDelegate(spare)

	s.createDeployment("web", 1)

	expectEventually(t, late, "a pod that says why it waits", func(ctx context.Context) error {
		pods, err := s.list(ctx)
		if err != nil {
			return err
		}
		for i := range pods {
			if c := podCondition(&pods[i], corev1.PodScheduled); c != nil && containsAll(c.Message, "spare: deleted the last 3 delegates within ", "not used until ") == nil {
				return nil
			}
		}
		return fmt.Errorf("%d pods", len(pods))
	})
	expectEventually(t, soon, "an event of the Target", func(ctx context.Context) error {
		list, err := s.kube.EventsV1().Events(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{})
		for _, event := range list.Items {
			if event.Regarding.UID == target.UID && event.Reason == "DelegatesDeleted" {
				return containsAll(event.Note, "deleted the last 3 delegates", "spillway.dev/source-uid")
			}
		}
		return fmt.Errorf("%d events, none of them: %w", len(list.Items), err)
	})
	time.Sleep(10 * time.Second)
	pods, err := s.list(t.Context())
	require.NoError(t, err)
	assert.LessOrEqual(t, len(pods), 6, "three lost, one that waits, and what was on its way: no loop")

	stop()
	expectEventually(t, 2*late, "a pod to be tried there, and to run", func(ctx context.Context) error {
		pods, err := s.list(ctx)
		if err != nil {
			return err
		}
		for i := range pods {
			if running(&pods[i]) && onTarget(&pods[i], "spare") {
				return nil
			}
		}
		return fmt.Errorf("%d pods", len(pods))
	})
}

// deleteEveryDelegate does what a controller with a mind of its own might do in a target, until it is stopped.
func (s *space) deleteEveryDelegate(in *cluster) (stop func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	events, err := in.kube.CoreV1().Pods(s.name).Watch(ctx, metav1.ListOptions{LabelSelector: v1alpha1.LabelSourceCluster + "=" + s.uid})
	require.NoError(s.t, err)
	go func() {
		for event := range events.ResultChan() {
			pod, ok := event.Object.(*corev1.Pod)
			if !ok || pod.Spec.NodeName == "" || pod.DeletionTimestamp != nil || strings.HasPrefix(string(event.Type), "DEL") {
				continue
			}
			// Not before it was bound in the source: deleting it earlier is a refusal like others.
			time.AfterFunc(300*time.Millisecond, func() {
				_ = in.kube.CoreV1().Pods(pod.Namespace).Delete(context.WithoutCancel(ctx), pod.Name, *metav1.NewDeleteOptions(0))
			})
		}
	}()
	return cancel
}
