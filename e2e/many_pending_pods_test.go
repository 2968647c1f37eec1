package e2e

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// envPending is how many pods wait in the scenario, if not manyPending: 10000 take some minutes to create.
const (
	envPending  = "SPILLWAY_E2E_PENDING"
	manyPending = 500
)

func TestPodsThatFitNowhereDoNotKeepThoseThatDoWaiting(t *testing.T) {
	t.Parallel()
	n := manyPending
	if text := os.Getenv(envPending); text != "" {
		var err error
		n, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly("spare"))
	s.givenSpare(nil)
	spare.givenNamespace(t, s.name)
	s.createMany(n)
	s.expectAllRefused(n)
	stop := s.comeAndGo(spare)
	defer stop()

	var slowest time.Duration
	for i := range 20 {
		name := fmt.Sprintf("fits-%d", i)
		bound := s.whenBound(name)
		start := time.Now()
		s.createElected(name)
		select {
		case at := <-bound:
			slowest = max(slowest, at.Sub(start))
		case <-time.After(soon):
			t.Fatalf("it waits: %s", describe(s.getPod(name)))
		}
	}
	t.Logf("with %d pods that fit nowhere the slowest of 20 was bound in %s", n, slowest.Round(time.Millisecond))
	assert.Less(t, slowest, 2*time.Second)
}

// createMany creates pods that fit nowhere: half of them alike, half of ten shapes.
func (s *space) createMany(n int) {
	s.t.Helper()
	group, ctx := errgroup.WithContext(s.t.Context())
	group.SetLimit(20)
	for i := range n {
		group.Go(func() error {
			template := podTemplate(elected, requesting(fmt.Sprintf("%d", 100+max(0, i%20-10)), ""))
			pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
			pod.Name = fmt.Sprintf("never-%05d", i)
			_, err := s.kube.CoreV1().Pods(s.name).Create(ctx, pod, metav1.CreateOptions{})
			return err
		})
	}
	require.NoError(s.t, group.Wait())
}

func (s *space) expectAllRefused(n int) {
	s.t.Helper()
	within := late + time.Duration(n)*20*time.Millisecond
	expectEventually(s.t, within, "all pods to be refused", func(ctx context.Context) error {
		pods, err := s.list(ctx)
		if err != nil {
			return err
		}
		refused := 0
		for i := range pods {
			if podCondition(&pods[i], corev1.PodScheduled) != nil {
				refused++
			}
		}
		if refused < n {
			time.Sleep(time.Second) // a list of thousands is a load
			return fmt.Errorf("%d of %d", refused, n)
		}
		return nil
	})
}

// comeAndGo lets a pod come and another go in a target, again and again: each might make room for those that wait.
func (s *space) comeAndGo(in *cluster) (stop func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	template := podTemplate()
	go func() {
		for i := 0; ctx.Err() == nil; i++ {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("passing-%d", i)}, Spec: template.Spec}
			_, _ = in.kube.CoreV1().Pods(s.name).Create(ctx, pod, metav1.CreateOptions{})
			if i >= 5 {
				_ = in.kube.CoreV1().Pods(s.name).Delete(ctx, fmt.Sprintf("passing-%d", i-5), *metav1.NewDeleteOptions(0))
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	return cancel
}
