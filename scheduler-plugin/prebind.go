package schedulerplugin

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/target"
)

// PreBindPreFlight says whether PreBind has anything to do.
func (p *Plugin) PreBindPreFlight(_ context.Context, state fwk.CycleState, _ *corev1.Pod, nodeName string) (*fwk.PreBindPreFlightResult, *fwk.Status) {
	if _, room, _ := p.chosen(state, nodeName); room == nil {
		return nil, fwk.NewStatus(fwk.Skip)
	}
	return nil, nil
}

// PreBind returns when the target has scheduled the delegate: a bound pod can never be unbound, so nothing is bound before.
func (p *Plugin) PreBind(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, nodeName string) *fwk.Status {
	found, room, status := p.chosen(state, nodeName)
	if room == nil {
		return status
	}
	c, err := cycleOf(state)
	if err != nil {
		return fwk.AsStatus(err)
	}
	states, done := room.target.Await(pod.UID) // before the delegate exists, so that no state of it is missed
	defer done()
	if err := p.send(ctx, c, room.target, pod, found.delegate); err != nil {
		return p.refuse(pod, room.target, err)
	}
	if err := awaitScheduled(ctx, room.target, states, c.created); err != nil {
		return p.refuse(pod, room.target, err)
	}
	p.refusals.forget(pod.UID)
	return nil
}

// send ships what the pod references and creates its delegate, unless it exists already.
func (p *Plugin) send(ctx context.Context, c *cycle, t *target.Target, pod, delegate *corev1.Pod) error {
	if existing := t.DelegateOf(pod.UID); existing != nil {
		c.created = existing
		return nil
	}
	if err := p.Follow.Ensure(ctx, t, delegate.Namespace, pod); err != nil {
		p.Follow.Release(ctx, t, delegate.Namespace, pod.UID)
		return fmt.Errorf("shipping what the pod references to %s: %w", t.Name(), err)
	}
	c.created = delegate // from here on it may exist, whatever the answer says
	created, err := create(ctx, t, delegate)
	if err != nil {
		return err
	}
	c.created = created
	return nil
}

// create posts the delegate. A namespace is created only when the target says that it is missing: asking beforehand would
// cost every pod a request.
func create(ctx context.Context, t *target.Target, delegate *corev1.Pod) (*corev1.Pod, error) {
	pods := t.Client().CoreV1().Pods(delegate.Namespace)
	created, err := pods.Create(ctx, delegate, metav1.CreateOptions{})
	if namespaceMissing(err) {
		if !t.Spec().Namespaces.Create {
			return nil, fmt.Errorf(reasonNoNamespace, t.Name(), delegate.Namespace)
		}
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: delegate.Namespace,
			Labels: map[string]string{v1alpha1.LabelSourceCluster: t.SourceCluster()}}}
		if _, err := t.Client().CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return nil, fmt.Errorf("creating namespace %s in %s: %w", delegate.Namespace, t.Name(), err)
		}
		created, err = pods.Create(ctx, delegate, metav1.CreateOptions{})
	}
	switch {
	case apierrors.IsAlreadyExists(err):
		return delegate, nil // ours by its name; the watch tells its state
	case err != nil:
		return nil, fmt.Errorf(reasonCreating, t.Name(), err)
	}
	return created, nil
}

func namespaceMissing(err error) bool {
	status, ok := err.(apierrors.APIStatus)
	return ok && apierrors.IsNotFound(err) && status.Status().Details != nil && status.Status().Details.Kind == "namespaces"
}

// awaitScheduled waits for the target's scheduler, as long as the Target allows.
func awaitScheduled(ctx context.Context, t *target.Target, states <-chan target.Delegate, created *corev1.Pod) error {
	limit := t.Spec().Reservation.Timeout.Duration
	if limit <= 0 {
		limit = 30 * time.Second
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for now := created; ; {
		if now.Spec.NodeName != "" {
			return nil
		}
		if message := unschedulable(now); message != "" {
			return fmt.Errorf("%s", message)
		}
		select {
		case next := <-states:
			if next.Pod == nil {
				return fmt.Errorf(reasonDelegateGone, t.Name())
			}
			now = next.Pod
		case <-timer.C:
			return fmt.Errorf(reasonNotScheduled, t.Name(), limit)
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", t.Name(), context.Cause(ctx))
		}
	}
}

// unschedulable is the target's own reason for not scheduling the delegate; "" while it has given none.
func unschedulable(pod *corev1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return c.Message
		}
	}
	return ""
}

// refuse remembers that this target would not have this pod, so that the next cycle tries another place.
func (p *Plugin) refuse(pod *corev1.Pod, t *target.Target, err error) *fwk.Status {
	p.refusals.add(pod.UID, t.Name(), err.Error())
	klog.Background().Info("target refused delegate", "pod", klog.KObj(pod), "target", t.Name(), "reason", err.Error())
	return fwk.NewStatus(fwk.Unschedulable, t.Name()+": "+err.Error())
}
