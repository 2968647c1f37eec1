package schedulerplugin

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/delegate"
	"github.com/spillway-dev/spillway/pkg/target"
	"github.com/spillway-dev/spillway/scheduler-plugin/views"
)

// takeBackTimeout bounds the deletion of a delegate that is taken back.
const takeBackTimeout = 10 * time.Second

// Reserve makes the delegate and takes its room in the target's dry run. From here on the pod counts as being on its way, so
// whether the target may be sent to is asked once more: see target.SetOpen.
func (p *Plugin) Reserve(_ context.Context, state fwk.CycleState, pod *corev1.Pod, nodeName string) *fwk.Status {
	c, err := cycleOf(state)
	if err != nil {
		return fwk.AsStatus(err)
	}
	p.batch.complete(c, views.LocalRefusals(state))
	status := p.reserve(c, state, pod, nodeName)
	if status.IsSuccess() {
		p.waiting.placed(pod.UID, c.shape)
	} else {
		p.waiting.add(pod, c.shape, refusers{anyTarget: true}, c.seen)
	}
	return status
}

func (p *Plugin) reserve(c *cycle, state fwk.CycleState, pod *corev1.Pod, nodeName string) *fwk.Status {
	if status := p.reserveGroup(state, pod, nodeName); !status.IsSuccess() {
		return status
	}
	found, room, status := p.chosen(state, nodeName)
	if room == nil {
		return status
	}
	p.sends.begin(pod.UID, room.target.Name())
	if err := p.prepare(c, room.target, pod, found); err != nil {
		return fwk.NewStatus(fwk.Unschedulable, room.target.Name()+": "+err.Error())
	}
	if found.Growing && c.existing == nil && !room.growth.take(pod.UID, maxPendingPods(room.target.Spec().Capacity.Autoscaling)) {
		return fwk.NewStatus(fwk.Unschedulable, room.target.Name()+": "+reasonGrowthTaken)
	}
	p.refusals.claim(room.target.Name(), c.shape, pod.UID)
	p.losses.reserve(room.target.Name(), pod.UID)
	if found.node == "" {
		return nil // its delegate waits there for a node
	}
	if err := room.dryrun.Assume(found.delegate, found.node); err != nil {
		return fwk.AsStatus(fmt.Errorf("reserving room in target %s: %w", room.target.Name(), err))
	}
	return nil
}

// prepare makes the delegate, unless there is one.
func (p *Plugin) prepare(c *cycle, t *target.Target, pod *corev1.Pod, found *place) (err error) {
	if c.existing != nil {
		found.delegate = c.existing
		return nil
	}
	if reason, usable := t.Usable(); !usable { // any more
		return errors.New(reason)
	}
	found.delegate, err = delegate.New(pod, p.delegateOptions(t)) // which fails if the Target has changed since Filter
	return err
}

// Unreserve gives the room back and deletes a delegate that was created. One that cannot be confirmed deleted fences the
// pod: it may go nowhere else, or it might run twice. A pod that may be bound keeps its delegate: the next cycle, if there
// is one, finds it.
func (p *Plugin) Unreserve(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, nodeName string) {
	defer p.leaveGroup(state, pod) // when nothing of the pod is left there
	c, err := cycleOf(state)
	if err == nil && c.mayBeBound {
		return
	}
	defer p.sends.end(pod.UID)
	if found, room, _ := p.chosen(state, nodeName); room != nil && found.delegate != nil {
		room.dryrun.Forget(found.delegate)
		p.endGrowth(room, pod)
		p.makeWay(c, room.target, pod)
	}
	if err != nil || c.sent == nil {
		return
	}
	ctx = context.WithoutCancel(ctx)
	p.Follow.Release(ctx, c.sent, delegate.Namespace(c.sent.Spec().Namespaces, pod.Namespace), pod.UID)
	if created := c.created; created != nil {
		p.takeBackOrFence(ctx, c.sent, pod, created)
	}
}

// makeWay lets other pods have what this one had: its turn to ask, and its room.
func (p *Plugin) makeWay(c *cycle, t *target.Target, pod *corev1.Pod) {
	p.refusals.release(t.Name(), c.shape, pod.UID)
	if p.losses.unreserve(t.Name(), pod.UID) {
		p.waiting.tell(t.Name(), changed)
	}
	p.waiting.tell(t.Name(), freed)
}

func (p *Plugin) takeBackOrFence(ctx context.Context, t *target.Target, pod, created *corev1.Pod) {
	err := takeBack(ctx, t, created)
	if err == nil || !p.fences.set(pod.UID, t.Name()) {
		return
	}
	klog.FromContext(ctx).Error(err, "delegate could not be taken back; the pod waits for its target", "pod", klog.KObj(pod), "target", t.Name())
	p.markFence(ctx, t, pod)
	go p.lift(ctx, t, pod, created)
}

// takeBack deletes a delegate, and fails until it is gone. One without a node goes at once; one with a node may run, and is
// there until its kubelet says that it has ended.
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
	answer := t.Client().CoreV1().RESTClient().Delete().Namespace(created.Namespace).Resource("pods").Name(created.Name).
		Body(&metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &created.UID}}).Do(ctx)
	err := answer.Error()
	if apierrors.IsConflict(err) {
		return nil // replaced by another pod, so it is gone
	}
	if left, _ := answer.Get(); err == nil && stillEnding(left) {
		return errors.New(reasonDelegateEnding)
	}
	return client.IgnoreNotFound(err)
}

func stillEnding(left runtime.Object) bool {
	pod, ok := left.(*corev1.Pod)
	return ok && pod.DeletionGracePeriodSeconds != nil && *pod.DeletionGracePeriodSeconds > 0
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
