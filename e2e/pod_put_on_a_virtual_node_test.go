package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestAPodThatSomebodyPutsOnAVirtualNodeIsToldWhyItWaits(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)

	pod := s.createPod("put", func(_ *metav1.ObjectMeta, spec *corev1.PodSpec) { spec.NodeName = v1alpha1.VirtualNodeName(cloud.name) })

	told := s.expectTold(pod, "NotElected", 0)
	assert.Contains(t, told.Message, "not sent to target cloud")
	s.expectNoDelegates(pod)
	s.deletePod("put", nil)
	s.expectGone(pod)
}
