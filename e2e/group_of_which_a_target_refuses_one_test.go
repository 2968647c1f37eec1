package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAGroupOfWhichATargetRefusesOneIsTakenBackAndMoves(t *testing.T) {
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(heata.name, cloud.name)) // heata is the cheaper one
	there := givenNamespaceNamed(t, heata, s.name, nil)
	_, err := there.kube.CoreV1().ResourceQuotas(s.name).Create(t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "two"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("2")}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	toHeata := s.noteDelegates(heata)

	s.createGroup("train", 4)

	assert.Equal(t, onlyOnTarget(cloud.name, 4), s.groupPlaces("train", 4))
	left, err := s.delegates(t.Context(), heata)
	require.NoError(t, err)
	assert.Empty(t, left, "what heata had taken was taken back before the group went elsewhere")
	assert.LessOrEqual(t, len(toHeata.list()), 2)
	quota := 0
	for i := range 4 {
		for _, place := range s.record(fmt.Sprintf("train-%d", i)).Places {
			if place.Name == heata.name && assert.False(t, place.Feasible) && containsAll(place.Reason, "exceeded quota") == nil {
				quota++
			}
		}
	}
	assert.Positive(t, quota, "the record says what heata said")
}
