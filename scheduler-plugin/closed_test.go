package schedulerplugin

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// A pod whose delegate a closed target has already may go nowhere else: refusing it there would leave it waiting for ever.
func TestAClosedTargetStillTakesThePodWhoseDelegateItHas(t *testing.T) {
	closed := newTarget(t, v1alpha1.TargetSpec{Unschedulable: true}, func(http.ResponseWriter, *http.Request) {})
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "spillway-cloud"}}
	assert.Equal(t, "target is cordoned (spec.unschedulable)", unusable(&room{target: closed}, electedPod(), node))

	delegate := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-x", Labels: map[string]string{
		v1alpha1.LabelSourceCluster: "here", v1alpha1.LabelTarget: "cloud", v1alpha1.LabelSourceUID: string(electedPod().UID)}}}
	require.NoError(t, closed.Pods().GetIndexer().Add(delegate))
	assert.Contains(t, unusable(&room{target: closed}, electedPod(), node), "target unreachable", "it is judged by whether it answers only")
}

func TestTolerates(t *testing.T) {
	tests := map[string]struct {
		tolerations []corev1.Toleration
		want        bool
	}{
		"nothing tolerated":     {nil, false},
		"everything":            {[]corev1.Toleration{{Operator: corev1.TolerationOpExists}}, true},
		"the cordon's own":      {[]corev1.Toleration{{Key: corev1.TaintNodeUnschedulable, Operator: corev1.TolerationOpExists}}, true},
		"another taint":         {[]corev1.Toleration{{Key: corev1.TaintNodeNotReady, Operator: corev1.TolerationOpExists}}, false},
		"only what is executed": {[]corev1.Toleration{{Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute}}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			pod := electedPod(func(p *corev1.Pod) { p.Spec.Tolerations = test.tolerations })
			assert.Equal(t, test.want, tolerates(pod, corev1.TaintNodeUnschedulable))
		})
	}
}
