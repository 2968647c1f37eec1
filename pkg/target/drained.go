package target

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// abandonAfter is how long a Target that is being deleted waits for a cluster that does not answer and that may still run
// delegates whose source pods are gone: an interruption should not leave them behind.
const abandonAfter = time.Minute

// setDrained keeps the condition Drained while a target is being emptied; at other times there is none.
func setDrained(conditions *[]metav1.Condition, d drain, generation int64) {
	if !d.wanted {
		meta.RemoveStatusCondition(conditions, v1alpha1.ConditionDrained)
		return
	}
	if !d.known {
		return
	}
	var c metav1.Condition
	switch {
	case d.left == 0:
		c = condition(v1alpha1.ConditionDrained, true, ReasonDrained, messageDrained)
	case d.away:
		c = condition(v1alpha1.ConditionDrained, false, ReasonDrainAway, fmt.Sprintf(messageAway, d.left))
	case d.held != "":
		c = condition(v1alpha1.ConditionDrained, false, ReasonDrainHeld, fmt.Sprintf(messageLeft, d.left)+": "+d.held)
	default:
		c = condition(v1alpha1.ConditionDrained, false, ReasonDraining, fmt.Sprintf(messageLeft, d.left))
	}
	c.ObservedGeneration = generation
	meta.SetStatusCondition(conditions, c)
}

// tellDrain makes an event of each change of the condition Drained.
func (c *Controller) tellDrain(object *v1alpha1.Target, conditions []metav1.Condition) {
	was, is := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionDrained), meta.FindStatusCondition(conditions, v1alpha1.ConditionDrained)
	if is == nil || was != nil && was.Reason == is.Reason {
		return
	}
	kind := corev1.EventTypeNormal
	if is.Reason == ReasonDrainHeld || is.Reason == ReasonDrainAway {
		kind = corev1.EventTypeWarning
	}
	c.Recorder.Eventf(object, nil, kind, is.Reason, actionDrain, "%s", is.Message)
}

// letGo removes the finalizer of a Target that is being deleted when nothing of it is left, or nothing can be known to be.
func (c *Controller) letGo(ctx context.Context, object *v1alpha1.Target, d drain) (ctrl.Result, error) {
	if !d.known || d.left > 0 || !c.empty(object.Name) {
		return ctrl.Result{RequeueAfter: drainPause}, nil
	}
	if live := c.Registry.Get(object.Name); live != nil && len(live.DelegateUIDs()) > 0 {
		message := fmt.Sprintf(messageLeftBehind, len(live.DelegateUIDs()), v1alpha1.LabelSourceCluster, c.SourceCluster, v1alpha1.LabelTarget, object.Name)
		c.Recorder.Eventf(object, nil, corev1.EventTypeWarning, ReasonLeftBehind, actionDrain, "%s", message)
		ctrllog.FromContext(ctx).Info("left delegates behind in a target that does not answer", "target", object.Name, "delegates", len(live.DelegateUIDs()))
	}
	c.disconnect(ctx, object.Name)
	delete(c.drains, object.Name)
	controllerutil.RemoveFinalizer(object, v1alpha1.FinalizerDrain)
	return ctrl.Result{}, ignoreConflict(client.IgnoreNotFound(c.Client.Update(ctx, object)))
}

// empty tells that a target has no delegates, or that waiting for it to say so has no end.
func (c *Controller) empty(name string) bool {
	live := c.Registry.Get(name)
	switch {
	case live == nil: // its kubeconfig cannot be used
		return true
	case len(live.DelegateUIDs()) == 0:
		return live.Synced() || c.away(name)
	}
	return c.away(name) && c.Clock.Since(live.Health().Since) > abandonAfter
}

// away tells that a target is known not to answer, or not to let itself be read.
func (c *Controller) away(name string) bool {
	live := c.Registry.Get(name)
	if live == nil {
		return true
	}
	h := live.Health()
	unread := h.Rights != nil && len(h.Rights.Missing) > 0 && !live.Synced()
	return unread || !h.Reachable && h.Reason != ReasonConnecting
}

// cordoned tells whether somebody has cordoned the virtual node of a target.
func (c *Controller) cordoned(name string) bool {
	nodes, err := c.SourceNodes.List(labels.SelectorFromSet(labels.Set{v1alpha1.LabelTarget: name}))
	return err == nil && len(nodes) == 1 && nodes[0].Spec.Unschedulable
}
