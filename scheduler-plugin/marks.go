package schedulerplugin

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// markTimeout bounds the writing of a mark, because a binding cycle waits for it.
const markTimeout = 5 * time.Second

// marks are the targets that may have a delegate of the pod, as it says itself.
func marks(pod *corev1.Pod) []string {
	var targets []string
	for _, c := range pod.Status.Conditions {
		if target, ok := strings.CutPrefix(string(c.Type), v1alpha1.ConditionUnconfirmedPrefix); ok && c.Status == corev1.ConditionTrue {
			targets = append(targets, target)
		}
	}
	return targets
}

// unmark tells that nothing is unconfirmed any more.
func (p *Plugin) unmark(ctx context.Context, pod *corev1.Pod, target string) {
	if err := p.mark(ctx, pod, target, corev1.ConditionFalse); err != nil {
		klog.FromContext(ctx).Error(err, "pod goes on saying that it may have a delegate", "pod", klog.KObj(pod), "target", target)
	}
}

// mark writes the condition. A pod that is gone needs none.
func (p *Plugin) mark(ctx context.Context, pod *corev1.Pod, target string, status corev1.ConditionStatus) error {
	condition := corev1.PodCondition{Type: corev1.PodConditionType(v1alpha1.ConditionUnconfirmedPrefix + target), Status: status, LastTransitionTime: metav1.NewTime(p.now()),
		Reason: reasonConfirmed, Message: fmt.Sprintf(messageConfirmed, target)}
	if status == corev1.ConditionTrue {
		condition.Reason, condition.Message = reasonUnconfirmed, fmt.Sprintf(messageUnconfirmed, target)
	}
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": pod.UID},
		"status":   map[string]any{"conditions": []corev1.PodCondition{condition}},
	})
	if err != nil {
		return fmt.Errorf("encoding condition %s: %w", condition.Type, err)
	}
	ctx, cancel := context.WithTimeout(ctx, markTimeout)
	defer cancel()
	_, err = p.handle.ClientSet().CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, body, metav1.PatchOptions{}, "status")
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("writing condition %s of pod %s/%s: %w", condition.Type, pod.Namespace, pod.Name, err)
	}
	return nil
}
