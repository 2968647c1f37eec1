package schedulerplugin

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
)

// unusable says why a pod may not go to a target now. A pod whose delegate is there already is not new: closing the target
// to new pods must not keep it from being bound, because it may go nowhere else. It is evicted later, as any other.
func unusable(r *room, pod *corev1.Pod, node *corev1.Node) string {
	if d := r.target.DelegateOf(pod.UID); d != nil && d.DeletionTimestamp == nil {
		reason, _ := r.target.Answers()
		return reason
	}
	if reason, ok := r.target.Usable(); !ok {
		return reason
	}
	if node.Spec.Unschedulable && !tolerates(pod, corev1.TaintNodeUnschedulable) {
		return fmt.Sprintf(reasonCordoned, node.Name)
	}
	return ""
}

// tolerates tells whether a pod wants to go even where no pods should.
func tolerates(pod *corev1.Pod, taint string) bool {
	return slices.ContainsFunc(pod.Spec.Tolerations, func(t corev1.Toleration) bool {
		return t.ToleratesTaint(klog.Background(), &corev1.Taint{Key: taint, Effect: corev1.TaintEffectNoSchedule}, false)
	})
}
