package schedulerplugin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/wait"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/util/retry"
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
	record, err := c.record(nodeName, cmp.Or(c.localRefusals, views.CountRefusals(views.LocalRefusals(state))), metav1.NewTime(p.now())).Encode()
	if err != nil {
		return fwk.AsStatus(fmt.Errorf("recording the placement: %w", err))
	}
	binding := &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID,
			Annotations: map[string]string{v1alpha1.AnnotationPlacement: record}},
		Target: corev1.ObjectReference{Kind: "Node", Name: nodeName},
	}
	if found := c.get(nodeName); found != nil && !found.Local {
		p.bound(found.Name, pod.UID) // before its delegate can be lost
	}
	// A process that stops must know as well whether it has bound the pod.
	if c.mayBeBound, err = p.post(context.WithoutCancel(ctx), binding); err != nil {
		return fwk.AsStatus(fmt.Errorf("binding to %s: %w", nodeName, err))
	}
	p.sends.end(pod.UID)
	for _, name := range marks(pod) {
		go p.unmark(context.WithoutCancel(ctx), pod, name)
	}
	p.groupBound(c, pod)
	klog.FromContext(ctx).V(2).Info("bound pod", "pod", klog.KObj(pod), "node", nodeName)
	return nil
}

// post tries again when the answer was lost, and looks into a conflict: another attempt, or another process, may have bound
// the pod. When it fails, maybe tells whether the pod may be bound all the same; then its delegate must live.
func (p *Plugin) post(ctx context.Context, binding *corev1.Binding) (maybe bool, err error) {
	pods := p.handle.ClientSet().CoreV1().Pods(binding.Namespace)
	err = retry.OnError(bindBackoff, transient, func() error {
		ctx, cancel := context.WithTimeout(ctx, bindTimeout)
		defer cancel()
		err := pods.Bind(ctx, binding, metav1.CreateOptions{})
		if apierrors.IsConflict(err) {
			err = bound(ctx, pods, binding, err)
		}
		maybe = transient(err)
		return err
	})
	return maybe, err
}

// bound is nil when the pod is bound as the binding says, and the conflict when it is not.
func bound(ctx context.Context, pods typedcorev1.PodInterface, binding *corev1.Binding, conflict error) error {
	now, err := pods.Get(ctx, binding.Name, metav1.GetOptions{})
	switch {
	case err != nil:
		return err
	case now.UID == binding.UID && now.Spec.NodeName == binding.Target.Name:
		return nil
	}
	return conflict
}

// bindTimeout bounds one attempt.
const bindTimeout = 10 * time.Second

// bindBackoff spans a restart of the API server.
var bindBackoff = wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Steps: 7, Jitter: 0.2}

// transient tells a failure of the way from an answer of the API server.
func transient(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) || apierrors.IsInternalError(err) ||
		apierrors.IsServiceUnavailable(err) || apierrors.IsTooManyRequests(err) ||
		utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err)
}
