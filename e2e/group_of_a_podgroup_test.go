package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// The source has the feature gate GenericWorkload on.
func TestThePodsOfAPodGroupAreOneGroup(t *testing.T) {
	s := givenNamespace(t, source, burst)
	s.givenFiller(heata, "4")
	inPodGroup := func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) {
		spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: ptr.To("train")}
	}
	for i := range 4 {
		s.createElected(fmt.Sprintf("train-%d", i), requesting("6", ""), inPodGroup)
	}
	s.expectUnschedulable("train-0", "the size of group train cannot be read: PodGroup train does not exist")

	_, err := s.kube.SchedulingV1beta1().PodGroups(s.name).Create(t.Context(), &schedulingv1beta1.PodGroup{
		ObjectMeta: metav1.ObjectMeta{Name: "train"},
		Spec: schedulingv1beta1.PodGroupSpec{SchedulingPolicy: schedulingv1beta1.PodGroupSchedulingPolicy{
			Gang: &schedulingv1beta1.GangSchedulingPolicy{MinCount: 4}}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)

	for i := range 4 {
		s.expectRunningOn(fmt.Sprintf("train-%d", i), cloud.name)
	}
	assert.Equal(t, "train", s.record("train-0").Group)
	delegates, err := s.delegates(t.Context(), cloud)
	require.NoError(t, err)
	for _, d := range delegates {
		assert.Nil(t, d[0].Spec.SchedulingGroup, "the target knows nothing of the PodGroup")
	}
}
