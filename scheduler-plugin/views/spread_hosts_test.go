package views_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The pods of a Deployment that may not share a host fit two local hosts twice, as they would without virtual nodes.
func TestASpreadOverHostsIsNotHeldBackByEmptyVirtualNodes(t *testing.T) {
	spread := func(p *corev1.Pod) {
		p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: corev1.LabelHostname,
			WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}}}
	}
	others := []*corev1.Pod{pod("first", "1", on("worker-a")), pod("second", "1", on("worker-b"))}
	got := ask(t, world(), others, pod("third", "1", spread))
	assert.Equal(t, []string{"worker-a", "worker-b", "spillway-cloud", "spillway-heata"}, got.feasible(), "%v", got.reasons)
}
