package schedulerplugin

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/scheduler-plugin/views"
)

// Bind binds the pod. The API server merges a binding's annotations into the pod: so the placement is recorded without a
// request of its own.
func (p *Plugin) Bind(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, nodeName string) *fwk.Status {
	c, err := cycleOf(state)
	if err != nil {
		return fwk.AsStatus(err)
	}
	record, err := c.record(nodeName, views.LocalRefusals(state), metav1.NewTime(p.now())).Encode()
	if err != nil {
		return fwk.AsStatus(fmt.Errorf("recording the placement: %w", err))
	}
	binding := &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID,
			Annotations: map[string]string{v1alpha1.AnnotationPlacement: record}},
		Target: corev1.ObjectReference{Kind: "Node", Name: nodeName},
	}
	if err := p.handle.ClientSet().CoreV1().Pods(pod.Namespace).Bind(ctx, binding, metav1.CreateOptions{}); err != nil {
		return fwk.AsStatus(err)
	}
	p.waiting.remove(pod.UID)
	klog.FromContext(ctx).V(2).Info("bound pod", "pod", klog.KObj(pod), "node", nodeName)
	return nil
}
