package target

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

const (
	// drainPause between two looks at a target that is being emptied.
	drainPause = time.Second
	// evictPause after a pod could not be evicted, as kubectl drain waits.
	evictPause = 5 * time.Second
	// evictBatch pods at most are evicted in one pass: one target's drain must not hold up another target's reconcile.
	evictBatch = 50
)

// drain is what one pass of emptying a target came to. The zero value is of a target that is not being emptied.
type drain struct {
	wanted bool      // the Target is being deleted, or says spec.unschedulable
	known  bool      // the source's pods have been read
	left   int       // pods bound to its virtual node that have to go
	away   bool      // the target does not answer, so what was evicted cannot end
	held   string    // why a pod could not be evicted, if one could not
	next   time.Time // when eviction may be asked for again
}

// evict asks the source to evict the pods of a target that is to be emptied, disruption budgets respected. It may be
// called at any time: it asks once in drainPause, and once in evictPause while nothing may be evicted.
func (c *Controller) evict(ctx context.Context, object *v1alpha1.Target) drain {
	last := c.drains[object.Name]
	d := drain{wanted: object.Spec.Unschedulable || !object.DeletionTimestamp.IsZero()}
	d.known = c.Elected.Synced()
	if !d.wanted || !d.known {
		delete(c.drains, object.Name)
		return d
	}
	pods := leaving(object, c.Elected.OnNode(v1alpha1.VirtualNodeName(object.Name)))
	d.left, d.away = len(pods), c.away(object.Name)
	if now := c.Clock.Now(); now.Before(last.next) {
		d.held, d.next = last.held, last.next
	} else {
		var evicted int
		evicted, d.held = c.evictSome(ctx, object, pods)
		d.next = now.Add(drainPause)
		if evicted == 0 && d.held != "" {
			d.next = now.Add(evictPause)
		}
	}
	c.drains[object.Name] = d
	return d
}

// evictSome returns how many pods it evicted, and why the first of those that it could not evict stays.
func (c *Controller) evictSome(ctx context.Context, object *v1alpha1.Target, pods []*corev1.Pod) (evicted int, held string) {
	asked, refused := 0, map[types.UID]bool{}
	for _, pod := range pods {
		owner := metav1.GetControllerOfNoCopy(pod)
		switch {
		case pod.DeletionTimestamp != nil, owner != nil && refused[owner.UID]:
			continue // its owner's pods share their budget: one refusal a pass speaks for all
		case asked == evictBatch:
			return evicted, held
		case owner == nil && object.DeletionTimestamp.IsZero():
			held = first(held, fmt.Sprintf(messageBare, pod.Namespace, pod.Name))
			continue
		}
		asked++
		err := c.evictOne(ctx, pod)
		if err == nil {
			evicted++
			continue
		}
		held = first(held, fmt.Sprintf(messageHeld, pod.Namespace, pod.Name, refusalOf(err)))
		if owner != nil {
			refused[owner.UID] = true
		}
	}
	return evicted, held
}

func (c *Controller) evictOne(ctx context.Context, pod *corev1.Pod) error {
	err := c.Source.PolicyV1().Evictions(pod.Namespace).Evict(ctx, &policyv1.Eviction{
		ObjectMeta:    metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name},
		DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}},
	})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // gone, or another pod of its name
	}
	return err
}

// refusalOf is the budget's own sentence, which names it and its figures, where there is one.
func refusalOf(err error) string {
	if cause, ok := apierrors.StatusCause(err, policyv1.DisruptionBudgetCause); ok && cause.Message != "" {
		return cause.Message
	}
	return err.Error()
}

// leaving are the pods that have to go, those that are not ready first: a budget may let them go when it lets no other.
// Pods that have ended take no room; they stay for their logs, unless the Target itself goes.
func leaving(object *v1alpha1.Target, bound []*corev1.Pod) []*corev1.Pod {
	pods := slices.Clone(bound)
	if object.DeletionTimestamp.IsZero() {
		pods = slices.DeleteFunc(pods, func(pod *corev1.Pod) bool { return Ended(pod) && pod.DeletionTimestamp == nil })
	}
	slices.SortStableFunc(pods, func(a, b *corev1.Pod) int {
		switch {
		case podReady(a) == podReady(b):
			return 0
		case podReady(b):
			return -1
		}
		return 1
	})
	return pods
}

func podReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
