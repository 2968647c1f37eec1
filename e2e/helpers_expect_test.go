package e2e

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// expectPod waits until a pod is as check wants it, and returns it.
func (s *space) expectPod(name, what string, check func(pod *corev1.Pod) bool) *corev1.Pod {
	s.t.Helper()
	var pod *corev1.Pod
	expectEventually(s.t, soon, fmt.Sprintf("pod %s to be %s", name, what), func(ctx context.Context) (err error) {
		if pod, err = s.kube.CoreV1().Pods(s.name).Get(ctx, name, metav1.GetOptions{}); err != nil {
			return err
		}
		if !check(pod) {
			return fmt.Errorf("%s", describe(pod))
		}
		return nil
	})
	return pod
}

// expectRunningOn waits until a pod runs in a target.
func (s *space) expectRunningOn(name, target string) *corev1.Pod {
	s.t.Helper()
	return s.expectPod(name, "running in "+target, func(pod *corev1.Pod) bool {
		return running(pod) && onTarget(pod, target)
	})
}

// expectRunning waits until a pod runs, wherever.
func (s *space) expectRunning(name string) *corev1.Pod {
	s.t.Helper()
	return s.expectPod(name, "running", running)
}

// expectRunningLocally waits until a pod runs on a real node of the source.
func (s *space) expectRunningLocally(name string) *corev1.Pod {
	s.t.Helper()
	return s.expectPod(name, "running on a local node", func(pod *corev1.Pod) bool {
		return running(pod) && !strings.HasPrefix(pod.Spec.NodeName, v1alpha1.VirtualNodePrefix)
	})
}

// expectUnschedulable waits until the pod's condition says all of the texts.
func (s *space) expectUnschedulable(name string, texts ...string) *corev1.Pod {
	s.t.Helper()
	return s.expectPod(name, fmt.Sprintf("unschedulable, saying %q", texts), func(pod *corev1.Pod) bool {
		c := podCondition(pod, corev1.PodScheduled)
		return c != nil && c.Status == corev1.ConditionFalse && containsAll(c.Message, texts...) == nil
	})
}

// expectGone waits until the pod of this UID does not exist any more.
func (s *space) expectGone(pod *corev1.Pod) {
	s.t.Helper()
	expectEventually(s.t, soon, "pod "+pod.Name+" to be gone", func(ctx context.Context) error {
		now, err := s.kube.CoreV1().Pods(s.name).Get(ctx, pod.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && now.UID != pod.UID {
			return nil
		}
		if err != nil {
			return err
		}
		return fmt.Errorf("%s, deletion asked for at %v", describe(now), now.DeletionTimestamp)
	})
}

// delegates lists a space's delegates in one target, by the UID of their source pods.
func (s *space) delegates(ctx context.Context, in *cluster) (map[types.UID][]corev1.Pod, error) {
	found, err := in.kube.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{
		LabelSelector: v1alpha1.LabelSourceCluster + "=" + s.uid + "," + v1alpha1.LabelSourceNamespace + "=" + s.name,
	})
	if err != nil {
		return nil, fmt.Errorf("listing delegates in %s: %w", in.name, err)
	}
	bySource := map[types.UID][]corev1.Pod{}
	for _, pod := range found.Items {
		uid := types.UID(pod.Labels[v1alpha1.LabelSourceUID])
		bySource[uid] = append(bySource[uid], pod)
	}
	return bySource, nil
}

// expectDelegate waits for the one delegate of a source pod in a target.
func (s *space) expectDelegate(in *cluster, source *corev1.Pod) *corev1.Pod {
	s.t.Helper()
	var delegate *corev1.Pod
	expectEventually(s.t, soon, "a delegate in "+in.name, func(ctx context.Context) error {
		found, err := s.delegates(ctx, in)
		if err != nil {
			return err
		}
		if n := len(found[source.UID]); n != 1 {
			return fmt.Errorf("%s has %d delegates of %s", in.name, n, source.Name)
		}
		delegate = &found[source.UID][0]
		return nil
	})
	return delegate
}

// expectNoDelegates waits until no target has a delegate of the space; with pods, none of theirs.
func (s *space) expectNoDelegates(of ...*corev1.Pod) {
	s.t.Helper()
	expectEventually(s.t, soon, "the delegates to be gone", func(ctx context.Context) error {
		for _, in := range targets() {
			found, err := s.delegates(ctx, in)
			if err != nil {
				return err
			}
			if n := countOf(found, of); n > 0 {
				return fmt.Errorf("%s still has %d delegates", in.name, n)
			}
		}
		return nil
	})
}

func countOf(found map[types.UID][]corev1.Pod, of []*corev1.Pod) int {
	if len(of) == 0 {
		return len(found)
	}
	n := 0
	for _, pod := range of {
		n += len(found[pod.UID])
	}
	return n
}

func running(pod *corev1.Pod) bool {
	ready := podCondition(pod, corev1.PodReady)
	return pod.Status.Phase == corev1.PodRunning && ready != nil && ready.Status == corev1.ConditionTrue
}
