package schedulerplugin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
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
	if status := p.gather(ctx, state, pod); !status.IsSuccess() {
		return status
	}
	found, room, status := p.chosen(state, nodeName)
	if room == nil {
		return status
	}
	c, err := cycleOf(state)
	if err != nil {
		return fwk.AsStatus(err)
	}
	c.sent = room.target
	states, done := room.target.Await(pod.UID) // before the delegate exists, so that no state of it is missed
	defer done()
	c.asked = p.now()
	err = within(ctx, reservationTimeout(room.target), func(ctx context.Context) error {
		if err := p.ask(ctx, c, room.target, pod, found.delegate); err != nil {
			return err
		}
		if found.Growing {
			return errWaitsForNode
		}
		return awaitScheduled(ctx, states, c.created, func(reason string) error { return room.orWait(pod.UID, reason) })
	})
	if errors.Is(err, errWaitsForNode) {
		p.refusals.release(room.target.Name(), c.shape, pod.UID) // others may wait there as well
		err = p.awaitNode(ctx, room, pod, states, c.created)
	}
	if err != nil {
		p.remember(c, room.target, pod, err)
		p.groupRefused(pod, room.target, err.Error())
		return p.refuse(room.target, err)
	}
	if status := p.awaitGroup(ctx, c, room.target, pod); !status.IsSuccess() {
		return status
	}
	p.endGrowth(room, pod)
	if p.refusals.taken(room.target.Name(), c.shape, pod.UID, c.asked) {
		p.waiting.callShape(c.shape) // those that stood back while this one asked
	}
	return nil
}

// within bounds what the target may take to schedule a delegate that fits.
func within(ctx context.Context, timeout time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, noRoom(fmt.Errorf(reasonNotScheduled, timeout)))
	defer cancel()
	return do(ctx)
}

// ask has the target take a delegate, unless it has just refused another one like it.
func (p *Plugin) ask(ctx context.Context, c *cycle, t *target.Target, pod, delegate *corev1.Pod) error {
	leave, err := p.gates.enter(ctx, gateKey{shape: c.shape, target: t.Name()}, func() error {
		if refusal, ok := p.refusals.get(t.Name(), c.shape, pod.UID); ok {
			return &errRemembered{reason: refusal.reason}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = p.send(ctx, c, t, pod, delegate)
	if err != nil {
		p.remember(c, t, pod, err) // before the others of its shape may go on
		err = &errRemembered{reason: err.Error()}
	}
	leave(err == nil, !p.refusals.recent(t.Name(), c.shape))
	return err
}

// send ships what the pod references and creates its delegate, unless it exists already.
func (p *Plugin) send(ctx context.Context, c *cycle, t *target.Target, pod, delegate *corev1.Pod) error {
	if existing := t.DelegateOf(pod.UID); existing != nil {
		c.created = existing
		return nil
	}
	err := withNamespace(ctx, t, delegate.Namespace, func() error { return p.Follow.Ensure(ctx, t, delegate.Namespace, pod) })
	if err != nil {
		return fmt.Errorf("shipping what the pod references: %w", err)
	}
	c.created = delegate // from here on it may exist, whatever the answer says
	return withNamespace(ctx, t, delegate.Namespace, func() error {
		return whenSettled(ctx, func() error {
			created, err := create(ctx, t, delegate)
			if err == nil || refused(err) {
				c.created = created
			}
			return err
		})
	})
}

// withNamespace does it again after creating the namespace, if that is what the target missed: asking beforehand would
// cost every pod a request.
func withNamespace(ctx context.Context, t *target.Target, name string, do func() error) error {
	err := do()
	if !namespaceMissing(err) {
		return err
	}
	if !t.Spec().Namespaces.Create {
		return fmt.Errorf(reasonNoNamespace, name)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name,
		Labels: map[string]string{v1alpha1.LabelSourceCluster: t.SourceCluster()}}}
	if _, err := t.Client().CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating namespace %s: %w", name, err)
	}
	return do()
}

// settling is how long a namespace may lack its default service account: a target makes it a moment after the namespace,
// and refuses every pod until then.
const settling = 10 * time.Second

// whenSettled does it again while the target is still setting the namespace up.
func whenSettled(ctx context.Context, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	var err error
	_ = wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(context.Context) (bool, error) { // its error is err
		err = do()
		return !accountMissing(err), nil
	})
	return err
}

func accountMissing(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "error looking up service account")
}

// refused tells that the target has surely not created the delegate: it answered, and said no.
func refused(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	code := status.Status().Code
	return code >= 400 && code < 500 && code != http.StatusConflict && code != http.StatusRequestTimeout
}

func create(ctx context.Context, t *target.Target, delegate *corev1.Pod) (*corev1.Pod, error) {
	created, err := t.Client().CoreV1().Pods(delegate.Namespace).Create(ctx, delegate, metav1.CreateOptions{})
	switch {
	case apierrors.IsAlreadyExists(err):
		return adopt(ctx, t, delegate)
	case err != nil && context.Cause(ctx) != nil:
		return nil, fmt.Errorf(reasonNoAnswer, err)
	case err != nil:
		return nil, fmt.Errorf(reasonCreating, err)
	}
	return created, nil
}

// adopt takes a delegate that an earlier attempt left, which the cache does not show yet.
func adopt(ctx context.Context, t *target.Target, delegate *corev1.Pod) (*corev1.Pod, error) {
	existing, err := t.Client().CoreV1().Pods(delegate.Namespace).Get(ctx, delegate.Name, metav1.GetOptions{})
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the delegate that exists already: %w", err)
	case existing.Labels[v1alpha1.LabelSourceUID] != delegate.Labels[v1alpha1.LabelSourceUID] || !t.IsDelegate(existing):
		return nil, ofThisPod(fmt.Errorf(reasonNameTaken, delegate.Namespace, delegate.Name))
	case existing.DeletionTimestamp != nil:
		return nil, ofThisPod(errors.New(reasonDelegateEnding))
	}
	return existing, nil
}

func namespaceMissing(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && apierrors.IsNotFound(err) && status.Status().Details != nil && status.Status().Details.Kind == "namespaces"
}

// awaitScheduled waits for the target's scheduler, as long as the context allows. Whether it is an error that it finds no
// node, unplaced says.
func awaitScheduled(ctx context.Context, states <-chan target.Delegate, created *corev1.Pod, unplaced func(reason string) error) error {
	for now := created; ; {
		if now.Spec.NodeName != "" {
			return nil
		}
		if message := unschedulable(now); message != "" {
			if err := unplaced(message); err != nil {
				return err
			}
		}
		select {
		case next := <-states:
			if next.Pod == nil {
				return errors.New(reasonDelegateGone)
			}
			now = next.Pod
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func reservationTimeout(t *target.Target) time.Duration {
	if declared := t.Spec().Reservation.Timeout; declared != nil {
		return declared.Duration
	}
	return 30 * time.Second
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

// remember keeps a refusal, so that the next cycle tries another place, with this pod and with all that are like it. When
// it fades, one of them is tried again, in case it still waits.
func (p *Plugin) remember(c *cycle, t *target.Target, pod *corev1.Pod, err error) {
	if !worthRemembering(err) {
		return
	}
	said, uid := answerOf(err), pod.UID
	key := ofShape(c.shape)
	if said.own {
		key = ofPod(uid)
	}
	if c.group != nil {
		said.kind = byRule // taking the others of its group back makes room, which must not end what it was for
	}
	pause := p.refusals.add(t.Name(), key, uid, said.kind, err.Error())
	time.AfterFunc(pause, func() {
		if said.own {
			p.waiting.callPod(uid)
		} else {
			p.waiting.callShape(c.shape)
		}
	})
	klog.Background().Info("target refused delegate", "pod", klog.KObj(pod), "target", t.Name(), "reason", err.Error(), "pause", pause)
}

// refuse is the status of a pod that its target would not have, in the target's words.
func (p *Plugin) refuse(t *target.Target, err error) *fwk.Status {
	return fwk.NewStatus(fwk.Unschedulable, t.Name()+": "+err.Error())
}
