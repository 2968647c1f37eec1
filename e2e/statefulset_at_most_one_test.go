package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestAStatefulSetsPodOnALostTargetIsReplacedOnlyWhenItIsGone(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(spare.name, cloud.name))
	s.expectNeverTwice()
	target := s.givenSpare(priced("1m", "10"))
	s.createStatefulSet("db")
	old := s.expectRunningOn("db-0", spare.name)

	stopAPIServer(t, spare)
	s.expectTarget(target, v1alpha1.ConditionReady, metav1.ConditionFalse, "Unreachable")
	s.expectPod("db-0", "evicted", func(pod *corev1.Pod) bool { return pod.DeletionTimestamp != nil })
	expectThroughout(t, 10*time.Second, "no second db-0 while nobody knows of the first", func(context.Context) error {
		if pod := s.getPod("db-0"); pod.UID != old.UID {
			return fmt.Errorf("there is another: %s", describe(pod))
		}
		return nil
	})
	s.changeTarget(target, func(spec *v1alpha1.TargetSpec) { spec.Unschedulable = true })
	startAPIServer(t, spare)

	// The cluster's own nodes take their time to notice that their API server is back, and so does the mirror.
	expectEventually(t, 2*late, "another db-0", func(ctx context.Context) error {
		pod, err := s.kube.CoreV1().Pods(s.name).Get(ctx, "db-0", metav1.GetOptions{})
		if err == nil && pod.UID == old.UID {
			err = fmt.Errorf("%s, deletion asked for at %v", describe(pod), pod.DeletionTimestamp)
		}
		return err
	})
	s.expectNoDelegates(old)
	s.expectRunningOn("db-0", cloud.name)
}

func TestAPersonMayGiveUpAStatefulSetsPodOnALostTarget(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(spare.name, cloud.name))
	target := s.givenSpare(priced("1m", "10"))
	s.createStatefulSet("db")
	old := s.expectRunningOn("db-0", spare.name)

	stopAPIServer(t, spare)
	s.expectTarget(target, v1alpha1.ConditionReady, metav1.ConditionFalse, "Unreachable")
	s.deletePod("db-0", ptr.To[int64](0))
	now := s.expectRunningOn("db-0", cloud.name)
	startAPIServer(t, spare)

	expectEventually(t, 2*late, "the old delegate to be gone", func(ctx context.Context) error {
		found, err := s.delegates(ctx, spare)
		if err == nil && len(found[old.UID]) > 0 {
			err = fmt.Errorf("it is there, deletion asked for at %v", found[old.UID][0].DeletionTimestamp)
		}
		return err
	})
	assert.Equal(t, now.UID, s.getPod("db-0").UID)
	assert.True(t, running(s.getPod("db-0")))
}

// createStatefulSet makes one of one pod, which is evicted soon after its target is lost.
func (s *space) createStatefulSet(name string) {
	s.t.Helper()
	template := podTemplate(elected, func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
		for _, taint := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
			spec.Tolerations = append(spec.Tolerations, corev1.Toleration{Key: taint, Operator: corev1.TolerationOpExists,
				Effect: corev1.TaintEffectNoExecute, TolerationSeconds: ptr.To[int64](1)})
		}
	})
	metav1.SetMetaDataLabel(&template.ObjectMeta, "app", name)
	_, err := s.kube.AppsV1().StatefulSets(s.name).Create(s.t.Context(), &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.StatefulSetSpec{
			Replicas: ptr.To[int32](1), ServiceName: name, Template: template,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
		},
	}, metav1.CreateOptions{})
	require.NoError(s.t, err)
}
