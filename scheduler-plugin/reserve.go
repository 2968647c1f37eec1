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
)

// takeBackTimeout bounds the deletion of a delegate that is taken back.
const takeBackTimeout = 10 * time.Second

// Reserve takes the delegate's room in the target's dry run.
func (p *Plugin) Reserve(_ context.Context, state fwk.CycleState, _ *corev1.Pod, nodeName string) *fwk.Status {
	found, room, status := p.chosen(state, nodeName)
	if room == nil {
		return status
	}
	if err := room.dryrun.Assume(found.delegate, found.node); err != nil {
		return fwk.AsStatus(fmt.Errorf("reserving room in target %s: %w", room.target.Name(), err))
	}
	return nil
}

// Unreserve gives the room back and deletes a delegate that was created. One that cannot be confirmed deleted fences the
// pod: it may go nowhere else, or it might run twice.
func (p *Plugin) Unreserve(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, nodeName string) {
	found, room, _ := p.chosen(state, nodeName)
	if room == nil {
		return
	}
	room.dryrun.Forget(found.delegate)
	c, err := cycleOf(state)
	if err != nil || c.created == nil {
		return
	}
	p.Follow.Release(ctx, room.target, c.created.Namespace, pod.UID)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBackTimeout)
	defer cancel()
	err = room.target.Client().CoreV1().Pods(c.created.Namespace).Delete(ctx, c.created.Name, takeBack(c.created))
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		klog.FromContext(ctx).Error(err, "delegate could not be taken back; the pod waits for its target", "pod", klog.KObj(pod), "target", room.target.Name())
		p.refusals.setFence(pod.UID, nodeName)
		return
	}
	c.created = nil
}

// takeBack deletes at once: the delegate has not run, or its source pod was never told that it does.
func takeBack(d *corev1.Pod) metav1.DeleteOptions {
	now := int64(0)
	options := metav1.DeleteOptions{GracePeriodSeconds: &now}
	if d.UID != "" {
		options.Preconditions = &metav1.Preconditions{UID: &d.UID}
	}
	return options
}

// chosen returns the place and the room of a virtual node; a nil room for a local one, or with the status that says why.
func (p *Plugin) chosen(state fwk.CycleState, nodeName string) (*place, *room, *fwk.Status) {
	c, err := cycleOf(state)
	if err != nil {
		return nil, nil, fwk.AsStatus(err)
	}
	found := c.get(nodeName)
	if found == nil || found.Local {
		return nil, nil, nil
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	room := p.rooms[found.Name]
	if room == nil || found.delegate == nil {
		return nil, nil, fwk.NewStatus(fwk.Unschedulable, found.Name+": "+reasonNoTarget)
	}
	return found, room, nil
}
