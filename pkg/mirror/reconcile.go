package mirror

import (
	"context"
	"fmt"
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/delegate"
	"github.com/spillway-dev/spillway/pkg/target"
)

// reconcile gathers the pairs of one source pod, decides for each and applies it. It returns when to look again; never
// when zero.
func (m *Mirror) reconcile(ctx context.Context, uid types.UID) (time.Duration, error) {
	source := m.Source(uid)
	m.mu.Lock()
	departed, last := m.departed[uid], m.last[uid]
	m.mu.Unlock()
	var again time.Duration
	delegates := 0
	for _, t := range m.Registry.List() {
		p := pair{source: source, departed: departed, target: t, delegate: t.DelegateOf(uid), synced: t.Synced()}
		p.bound = source != nil && source.Spec.NodeName == t.NodeName()
		if last != nil && last.Labels[v1alpha1.LabelTarget] == t.Name() {
			p.last = last
		}
		if p.delegate != nil {
			delegates++
		}
		after, err := m.apply(ctx, p, decide(p))
		if err != nil {
			return 0, err
		}
		again = max(again, after)
	}
	if source == nil && delegates == 0 {
		if err := m.tendStray(ctx, uid); err != nil {
			return 0, err
		}
		m.mu.Lock()
		delete(m.departed, uid)
		delete(m.last, uid)
		m.mu.Unlock()
	}
	return again, nil
}

func (m *Mirror) apply(ctx context.Context, p pair, do action) (time.Duration, error) {
	switch do {
	case mirrorLast:
		return 0, m.mirrorStatus(ctx, p, p.last)
	case mirrorStatus:
		m.keepFollowing(ctx, p)
		if err := m.mirrorStatus(ctx, p, p.delegate); err != nil || target.Ended(p.delegate) {
			return 0, err
		}
		return m.sendChanges(ctx, p)
	case deleteDelegate:
		return 0, m.deleteDelegate(ctx, p)
	case collect:
		return m.collect(ctx, p)
	case finishSource:
		return 0, m.finishSource(ctx, p.source)
	case endUnseen, loseSource:
		if m.awaitsEcho(p.source) {
			return echoPause, nil // what it lost is decided from what it had
		}
		if do == endUnseen {
			return 0, m.endUnseen(ctx, p)
		}
		return 0, m.loseSource(ctx, p)
	}
	return 0, nil
}

// mirrorStatus writes what the delegate's state, of now or the last one, is on the source pod.
func (m *Mirror) mirrorStatus(ctx context.Context, p pair, state *corev1.Pod) error {
	if target.Ended(state) && p.source.DeletionTimestamp == nil {
		m.Outcomes.DelegateEnded(p.target, p.source.UID)
	}
	want := delegate.Status(p.source, state, delegate.StatusOptions{
		Network: p.target.Spec().Network,
		Target:  p.target.Name(),
		HostIP:  m.NodeIP,
		Now:     metav1.NewTime(m.Clock.Now()),
	})
	return m.patchStatus(ctx, p.source, want)
}

// patchStatus writes what differs. What was just written over the version that the cache still shows is not written
// again: its echo is on the way.
func (m *Mirror) patchStatus(ctx context.Context, source *corev1.Pod, want corev1.PodStatus) error {
	body, differs, err := delegate.StatusPatch(source, want)
	if err != nil || !differs {
		return err
	}
	this := patch{version: source.ResourceVersion, body: string(body), at: m.Clock.Now()}
	m.mu.Lock()
	last := m.patched[source.UID]
	repeated := last.version == this.version && last.body == this.body
	m.patched[source.UID] = this
	m.mu.Unlock()
	if repeated {
		return nil
	}
	err = m.Client.CoreV1().RESTClient().Patch(types.StrategicMergePatchType).Namespace(source.Namespace).Resource("pods").
		Name(source.Name).SubResource("status").Body(body).Do(ctx).Error() // the answer, a whole pod, comes by the watch as well
	if err != nil {
		m.mu.Lock()
		delete(m.patched, source.UID)
		m.mu.Unlock()
	}
	if goneOrReplaced(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("mirroring the status of %s/%s: %w", source.Namespace, source.Name, err)
	}
	return nil
}

// awaitsEcho tells that a status was written which the cache does not show yet.
func (m *Mirror) awaitsEcho(source *corev1.Pod) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	last, ok := m.patched[source.UID]
	return ok && last.version == source.ResourceVersion && m.Clock.Since(last.at) < echoAfter
}

// deleteDelegate passes the source's deletion on, with the grace that it has; without one, with the pod's own. What was
// asked for is not asked for again: the watch is slower than the next event.
func (m *Mirror) deleteDelegate(ctx context.Context, p pair) error {
	options := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &p.delegate.UID}}
	if p.source != nil && p.source.DeletionTimestamp != nil {
		options.GracePeriodSeconds = graceOf(p.source)
	}
	if !m.ask(p.delegate.UID, options.GracePeriodSeconds) {
		return nil
	}
	err := p.target.Client().CoreV1().RESTClient().Delete().Namespace(p.delegate.Namespace).Resource("pods").
		Name(p.delegate.Name).Body(&options).Do(ctx).Error()
	if err != nil && !goneOrReplaced(err) {
		m.unask(p.delegate.UID)
		return fmt.Errorf("deleting delegate %s/%s in %s: %w", p.delegate.Namespace, p.delegate.Name, p.target.Name(), err)
	}
	ctrllog.FromContext(ctx).V(1).Info("deleted delegate", "target", p.target.Name(), "delegate", p.delegate.Namespace+"/"+p.delegate.Name)
	return nil
}

// ask notes that a pod, by its own UID, is asked to end, and tells whether that is news: the first time, or with a shorter
// grace.
func (m *Mirror) ask(pod types.UID, grace *int64) bool {
	wanted := int64(math.MaxInt64)
	if grace != nil {
		wanted = *grace
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if before, ok := m.asked[pod]; ok && before <= wanted {
		return false
	}
	m.asked[pod] = wanted
	return true
}

// unask is for a request that failed.
func (m *Mirror) unask(pod types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.asked, pod)
}

// finishSource ends the deletion of a source pod, as a kubelet does when the containers are gone.
func (m *Mirror) finishSource(ctx context.Context, source *corev1.Pod) error {
	if source.DeletionGracePeriodSeconds != nil && *source.DeletionGracePeriodSeconds == 0 {
		return nil // asked for already; finalizers keep it
	}
	now := int64(0)
	if !m.ask(source.UID, &now) {
		return nil
	}
	options := metav1.DeleteOptions{GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &source.UID}}
	err := m.Client.CoreV1().RESTClient().Delete().Namespace(source.Namespace).Resource("pods").Name(source.Name).
		Body(&options).Do(ctx).Error()
	if err != nil && !goneOrReplaced(err) {
		m.unask(source.UID)
		return fmt.Errorf("ending the deletion of %s/%s: %w", source.Namespace, source.Name, err)
	}
	return nil
}

// loseSource says on the source pod that its delegate is gone, so that its controller makes another.
func (m *Mirror) endUnseen(ctx context.Context, p pair) error {
	message := fmt.Sprintf(messageUnseen, p.target.Name())
	return m.patchStatus(ctx, p.source, delegate.UnseenStatus(p.source, delegate.ReasonUnknown, message, metav1.NewTime(m.Clock.Now())))
}

func (m *Mirror) loseSource(ctx context.Context, p pair) error {
	m.Outcomes.DelegateLost(p.target, p.source.UID) // first: for the scheduler, a pod that has failed is gone
	message := fmt.Sprintf(messageLost, p.target.Name())
	if err := m.patchStatus(ctx, p.source, delegate.LostStatus(p.source, delegate.ReasonDelegateDeleted, message, metav1.NewTime(m.Clock.Now()))); err != nil {
		return err
	}
	m.Recorder.Eventf(p.source, nil, corev1.EventTypeWarning, delegate.ReasonDelegateDeleted, actionMirror, "%s", message)
	return nil
}

// keepFollowing takes up the references of a running pod, once: after a restart nobody else does. A failure is told and
// tried again by the follower; the status is mirrored all the same.
func (m *Mirror) keepFollowing(ctx context.Context, p pair) {
	m.mu.Lock()
	known := m.followed[p.source.UID]
	m.followed[p.source.UID] = true
	m.mu.Unlock()
	if known || target.Ended(p.delegate) || len(delegate.References(p.source)) == 0 {
		return
	}
	if err := m.Follow.Ensure(ctx, p.target, p.delegate.Namespace, p.source); err != nil {
		m.mu.Lock()
		delete(m.followed, p.source.UID)
		m.mu.Unlock()
		m.Recorder.Eventf(p.source, nil, corev1.EventTypeWarning, reasonFollowFailed, actionMirror, "%s: %v", p.target.Name(), err)
	}
}

func goneOrReplaced(err error) bool { return apierrors.IsNotFound(err) || apierrors.IsConflict(err) }
