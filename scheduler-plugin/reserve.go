package schedulerplugin

import (
	"context"
	"fmt"
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/target"
)

// takeBackTimeout bounds the deletion of a delegate that is taken back.
const takeBackTimeout = 10 * time.Second

// Reserve makes the delegate and takes its room in the target's dry run.
func (p *Plugin) Reserve(_ context.Context, state fwk.CycleState, pod *corev1.Pod, nodeName string) *fwk.Status {
	if c, err := cycleOf(state); err == nil {
		p.batch.complete(c)
	}
	if status := p.reserveGroup(state, pod, nodeName); !status.IsSuccess() {
		return status
	}
	found, room, status := p.chosen(state, nodeName)
	if room == nil {
		return status
	}
	made, err := p.delegateFor(pod, room.target)
	if err != nil { // the Target has changed since Filter
		return fwk.NewStatus(fwk.Unschedulable, room.target.Name()+": "+err.Error())
	}
	found.delegate = made
	if err := room.dryrun.Assume(found.delegate, found.node); err != nil {
		return fwk.AsStatus(fmt.Errorf("reserving room in target %s: %w", room.target.Name(), err))
	}
	return nil
}

// Unreserve gives the room back and deletes a delegate that was created. One that cannot be confirmed deleted fences the
// pod: it may go nowhere else, or it might run twice.
func (p *Plugin) Unreserve(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, nodeName string) {
	defer p.leaveGroup(state, pod) // when nothing of the pod is left there
	found, room, _ := p.chosen(state, nodeName)
	if room == nil || found.delegate == nil {
		return
	}
	room.dryrun.Forget(found.delegate)
	p.Follow.Release(ctx, room.target, found.delegate.Namespace, pod.UID)
	c, err := cycleOf(state)
	if err != nil || c.created == nil {
		return
	}
	created := c.created
	c.created = nil
	ctx = context.WithoutCancel(ctx)
	if err := takeBack(ctx, room.target, created); err != nil {
		klog.FromContext(ctx).Error(err, "delegate could not be taken back; the pod waits for its target", "pod", klog.KObj(pod), "target", room.target.Name())
		p.fences.set(pod.UID, nodeName)
		go p.lift(ctx, room.target, pod, created)
	}
}

// lift tries to take the delegate back until that is confirmed, and then lets the pod go elsewhere.
func (p *Plugin) lift(ctx context.Context, t *target.Target, pod, created *corev1.Pod) {
	backoff := wait.Backoff{Duration: time.Second, Factor: 2, Cap: time.Minute, Steps: math.MaxInt32}
	_ = wait.ExponentialBackoffWithContext(ctx, backoff, func(ctx context.Context) (bool, error) { // never gives up
		adopted := p.fences.get(pod.UID) == ""
		return adopted || takeBack(ctx, t, created) == nil, nil
	})
	p.fences.drop(pod.UID)
	p.activate(map[string]*corev1.Pod{pod.Namespace + "/" + pod.Name: pod})
}

// takeBack deletes a delegate at once: it has not run, or its source pod was never told that it does.
func takeBack(ctx context.Context, t *target.Target, created *corev1.Pod) error {
	ctx, cancel := context.WithTimeout(ctx, takeBackTimeout)
	defer cancel()
	pods := t.Client().CoreV1().Pods(created.Namespace)
	if created.UID == "" { // the answer to its creation was lost: what has its name may be nothing, or somebody else's
		found, err := pods.Get(ctx, created.Name, metav1.GetOptions{})
		if err != nil {
			return client.IgnoreNotFound(err)
		}
		if !t.IsDelegate(found) || found.Labels[v1alpha1.LabelSourceUID] != created.Labels[v1alpha1.LabelSourceUID] {
			return nil
		}
		created = found
	}
	now := int64(0)
	err := pods.Delete(ctx, created.Name, metav1.DeleteOptions{GracePeriodSeconds: &now,
		Preconditions: &metav1.Preconditions{UID: &created.UID}})
	if apierrors.IsConflict(err) {
		return nil // replaced by another pod, so it is gone
	}
	return client.IgnoreNotFound(err)
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
	if room == nil {
		return nil, nil, fwk.NewStatus(fwk.Unschedulable, found.Name+": "+reasonNoTarget)
	}
	return found, room, nil
}
