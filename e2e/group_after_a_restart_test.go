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
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/delegate"
)

// leave makes the delegate that a controller would have left behind that died before it bound the pod.
func (s *space) leave(in *cluster, pod *corev1.Pod) *corev1.Pod {
	s.t.Helper()
	target := &v1alpha1.Target{}
	require.NoError(s.t, s.client.Get(s.t.Context(), client.ObjectKey{Name: in.name}, target))
	made, err := delegate.New(pod, delegate.Options{SourceCluster: s.uid, TargetName: in.name, Target: &target.Spec})
	require.NoError(s.t, err)
	left, err := in.kube.CoreV1().Pods(s.name).Create(s.t.Context(), made, metav1.CreateOptions{})
	require.NoError(s.t, err)
	expectEventually(s.t, soon, "the delegate to have a node", func(ctx context.Context) error {
		now, err := in.kube.CoreV1().Pods(s.name).Get(ctx, left.Name, metav1.GetOptions{})
		if err == nil && now.Spec.NodeName == "" {
			err = fmt.Errorf("%s", describe(now))
		}
		return err
	})
	return left
}

func TestADelegateFromBeforeARestartTiesItsGroupToItsTarget(t *testing.T) {
	s := givenNamespace(t, source, burst)
	givenNamespaceNamed(t, cloud, s.name, nil)
	s.givenPolicy(remoteOnly(heata.name, cloud.name)) // heata is the cheaper one
	killController(t)
	s.createGroup("train", 4, requesting("6", ""))
	left := s.leave(cloud, s.getPod("train-2"))

	startController(t)

	assert.Equal(t, onlyOnTarget(cloud.name, 4), s.groupPlaces("train", 4))
	assert.Equal(t, left.UID, s.expectDelegate(cloud, s.getPod("train-2")).UID, "it was adopted")
}

func TestADelegateFromBeforeARestartIsTakenBackWhereItsGroupDoesNotFitAnyMore(t *testing.T) {
	s := givenNamespace(t, source, burst)
	givenNamespaceNamed(t, heata, s.name, nil)
	s.givenPolicy(remoteOnly(heata.name, cloud.name))
	killController(t)
	s.createGroup("train", 4, requesting("6", ""))
	s.leave(heata, s.getPod("train-2"))
	s.givenFiller(heata, "4")

	startController(t)

	assert.Equal(t, onlyOnTarget(cloud.name, 4), s.groupPlaces("train", 4))
	left, err := s.delegates(t.Context(), heata)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestGroupsAreWholeAfterTheControllerWasKilledWhileItPlacedThem(t *testing.T) {
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(heata.name, cloud.name))
	toHeata := s.noteDelegates(heata)
	for g := range 6 {
		s.createGroup(fmt.Sprintf("g%d", g), 4, requesting("1", ""))
	}
	expectEventually(t, soon, "some delegates", func(context.Context) error {
		if n := len(toHeata.list()); n < 3 {
			return fmt.Errorf("there are %d", n)
		}
		return nil
	})

	killController(t)
	time.Sleep(time.Second)
	startController(t)

	for g := range 6 {
		assert.Len(t, s.groupPlaces(fmt.Sprintf("g%d", g), 4), 1, "group g%d", g)
	}
	pods, err := s.list(t.Context())
	require.NoError(t, err)
	for i := range pods {
		n := 0
		for _, in := range targets() {
			found, err := s.delegates(t.Context(), in)
			require.NoError(t, err)
			n += len(found[pods[i].UID])
		}
		assert.Equal(t, 1, n, "delegates of %s", pods[i].Name)
	}
}
