package e2e

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestAControllerKilledMidBurstLosesNoPodAndRunsNoneTwice(t *testing.T) {
	for _, delegates := range []int{1, 20} { // at the first POST, and with pods in every state between POST and Running
		t.Run(fmt.Sprintf("when %d of 40 delegates exist", delegates), func(t *testing.T) { killMidBurst(t, delegates) })
	}
}

func killMidBurst(t *testing.T, delegates int) {
	const burstSize = 40
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(heata.name, cloud.name))

	created := s.watchDelegates(heata)
	var creating sync.WaitGroup
	for i := range burstSize {
		creating.Go(func() { s.createElected(fmt.Sprintf("burst-%02d", i)) })
	}
	for range delegates {
		<-created
	}
	killController(t)
	creating.Wait()
	pods, err := s.list(t.Context())
	require.NoError(t, err)
	bound := 0
	for _, pod := range pods {
		if pod.Spec.NodeName != "" {
			bound++
		}
	}
	t.Logf("killed when %d of %d pods were bound", bound, burstSize)
	startController(t)

	pods = s.expectAllRunning(burstSize)
	counts := map[types.UID]int{}
	for _, in := range targets() {
		found, err := s.delegates(t.Context(), in)
		require.NoError(t, err)
		for uid, delegates := range found {
			counts[uid] += len(delegates)
		}
	}
	assert.Len(t, counts, burstSize, "no delegate without a source")
	for _, pod := range pods {
		assert.Equal(t, 1, counts[pod.UID], "delegates of %s", pod.Name)
	}
}

// watchDelegates returns the space's delegates in a target as they are created: polling would be too slow to interrupt
// anything.
func (s *space) watchDelegates(in *cluster) <-chan *corev1.Pod {
	s.t.Helper()
	events, err := in.kube.CoreV1().Pods(s.name).Watch(s.t.Context(), metav1.ListOptions{LabelSelector: v1alpha1.LabelSourceUID})
	require.NoError(s.t, err)
	s.t.Cleanup(events.Stop)
	created := make(chan *corev1.Pod, 1000)
	go func() {
		defer close(created)
		for event := range events.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok && event.Type == watch.Added {
				created <- pod
			}
		}
	}()
	return created
}
