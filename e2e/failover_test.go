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

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// noticedWithin is promised: a target that does not answer is NotReady after this time, whatever the way of not answering.
const noticedWithin = 40 * time.Second

func TestPodsOfAnUnreachableTargetAreReplacedByTheirOwnTolerationsAndNoneRunsTwiceAfterwards(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly("spare", "cloud"))
	way := givenLine(t, spare)
	target := s.givenSpare(both(priced("1m", "10"), way.asKubeconfig(s)))
	s.createDeployment("hasty", 3, tolerating(5))
	s.createDeployment("patient", 1, tolerating(600))
	before := map[types.UID]corev1.Pod{}
	for _, pod := range s.expectAllRunning(4) {
		require.True(t, onTarget(&pod, "spare"), describe(&pod))
		before[pod.UID] = pod
	}

	cutAt := time.Now()
	way.cut()
	s.expectNode("spare", corev1.ConditionFalse)
	noticed := time.Since(cutAt)
	t.Logf("NotReady after %s", noticed.Round(time.Millisecond))
	assert.Less(t, noticed, noticedWithin)

	expectEventually(t, late, "three replacements in cloud", s.runningIn("cloud", 3))
	replaced := time.Since(cutAt)
	t.Logf("replaced after %s", replaced.Round(time.Millisecond))
	assert.Greater(t, replaced, noticed+4*time.Second, "5 s are tolerated")

	way.mend()
	s.expectTarget(target, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	for _, pod := range s.expectAllRunning(4) {
		_, old := before[pod.UID]
		assert.Equal(t, old, onTarget(&pod, "spare"), describe(&pod))
		assert.Equal(t, old, pod.Labels["app"] == "patient", "only the patient pod is still the same: %s", describe(&pod))
	}
	s.expectOneDelegateEach(4)
}

func TestATargetThatSwallowsPacketsIsNoticedInTimeAndForgivenWhenItIsBack(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly("spare"))
	way := givenLine(t, spare)
	target := s.givenSpare(way.asKubeconfig(s))
	s.createElected("stays", tolerating(600))
	before := s.expectDelegate(spare, s.expectRunningOn("stays", "spare"))

	frozenAt := time.Now()
	way.freeze()
	s.expectNode("spare", corev1.ConditionFalse)
	noticed := time.Since(frozenAt)
	t.Logf("NotReady after %s", noticed.Round(time.Millisecond))
	assert.Less(t, noticed, noticedWithin)
	way.thaw()

	s.expectTarget(target, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	s.expectNode("spare", corev1.ConditionTrue)
	s.createElected("next")
	s.expectRunningOn("next", "spare")
	assert.Equal(t, before.UID, s.expectDelegate(spare, s.expectRunningOn("stays", "spare")).UID)
}

func TestAnInterruptionOfFiveSecondsCostsNoPod(t *testing.T) {
	t.Parallel()
	for name, disturb := range map[string]struct{ begin, end func(*line) }{
		"connections are refused": {(*line).cut, (*line).mend},
		"packets are swallowed":   {(*line).freeze, (*line).thaw},
	} {
		t.Run(name, func(t *testing.T) {
			s := givenNamespace(t, source, burst)
			s.givenPolicy(remoteOnly("spare"))
			way := givenLine(t, spare)
			s.givenSpare(way.asKubeconfig(s))
			s.createElected("touchy", tolerating(0))
			pod := s.expectRunningOn("touchy", "spare")
			before := s.expectDelegate(spare, pod)

			disturb.begin(way)
			time.Sleep(5 * time.Second)
			disturb.end(way)

			expectThroughout(t, 25*time.Second, "node and pod to stay", func(ctx context.Context) error {
				node, err := s.kube.CoreV1().Nodes().Get(ctx, v1alpha1.VirtualNodeName("spare"), metav1.GetOptions{})
				if err == nil && nodeReady(node) != corev1.ConditionTrue {
					err = fmt.Errorf("conditions %+v", node.Status.Conditions)
				}
				return err
			})
			assert.Equal(t, pod.UID, s.expectRunningOn("touchy", "spare").UID)
			assert.Equal(t, before.UID, s.expectDelegate(spare, pod).UID)
		})
	}
}

// tolerating lets a pod stay on a node that is lost for so many seconds.
func tolerating(seconds int64) change {
	return func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
		for _, taint := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
			spec.Tolerations = append(spec.Tolerations, corev1.Toleration{Key: taint, Operator: corev1.TolerationOpExists,
				Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &seconds})
		}
	}
}

func both(changes ...func(*v1alpha1.TargetSpec)) func(*v1alpha1.TargetSpec) {
	return func(spec *v1alpha1.TargetSpec) {
		for _, change := range changes {
			change(spec)
		}
	}
}

// runningIn checks that so many pods that are not being deleted run in a target.
func (s *space) runningIn(target string, want int) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		pods, err := s.list(ctx)
		if err != nil {
			return err
		}
		n, seen := 0, ""
		for i := range pods {
			seen += describe(&pods[i]) + "\n"
			if running(&pods[i]) && pods[i].DeletionTimestamp == nil && onTarget(&pods[i], target) {
				n++
			}
		}
		if n != want {
			return fmt.Errorf("%d run there\n%s", n, seen)
		}
		return nil
	}
}

// expectOneDelegateEach waits until the space's pods, so many, have one delegate each in all targets together, and nobody
// else has any.
func (s *space) expectOneDelegateEach(pods int) {
	s.t.Helper()
	// What a target that was away still runs is left alone for 20 s: its source may only be late.
	expectEventually(s.t, late, "one delegate for each pod", func(ctx context.Context) error {
		all, n := map[types.UID]int{}, 0
		for _, in := range targets() {
			found, err := s.delegates(ctx, in)
			if err != nil {
				return err
			}
			for uid, list := range found {
				all[uid] += len(list)
				n += len(list)
			}
		}
		live, err := s.list(ctx)
		if err != nil {
			return err
		}
		for _, pod := range live {
			if all[pod.UID] != 1 {
				return fmt.Errorf("%s has %d delegates", describe(&pod), all[pod.UID])
			}
		}
		if len(live) != pods || n != pods {
			return fmt.Errorf("%d pods, %d delegates", len(live), n)
		}
		return nil
	})
}
