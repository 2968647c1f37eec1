package views

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestWhatHappensAtVirtualNodesWakesNobodyWhomLocalNodesRefused(t *testing.T) {
	local := &corev1.Node{}
	virtual := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.LabelTarget: "cloud"}}}
	on := func(node string) *corev1.Pod { return &corev1.Pod{Spec: corev1.PodSpec{NodeName: node}} }
	var none *corev1.Pod
	tests := map[string]struct {
		old, now any
		want     fwk.QueueingHint
	}{
		"a local node comes":                         {nil, local, fwk.Queue},
		"a virtual node comes":                       {nil, virtual, fwk.QueueSkip},
		"a virtual node changes":                     {virtual, virtual, fwk.QueueSkip},
		"a pod on a local node ends":                 {on("worker-a"), nil, fwk.Queue},
		"a pod on a virtual node ends":               {on("spillway-cloud"), nil, fwk.QueueSkip},
		"one whose end was noticed late":             {cache.DeletedFinalStateUnknown{Obj: on("spillway-cloud")}, nil, fwk.QueueSkip},
		"the waiting pod itself changes":             {on(""), on(""), fwk.Queue},
		"something that is neither a node nor a pod": {"a volume", none, fwk.Queue},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, inner := range []fwk.QueueingHintFn{nil, func(klog.Logger, *corev1.Pod, any, any) (fwk.QueueingHint, error) { return fwk.Queue, nil }} {
				hints := aboutLocalNodes([]fwk.ClusterEventWithHint{{QueueingHintFn: inner}})
				got, err := hints[0].QueueingHintFn(klog.Background(), on(""), test.old, test.now)
				require.NoError(t, err)
				assert.Equal(t, test.want, got)
			}
		})
	}
}
