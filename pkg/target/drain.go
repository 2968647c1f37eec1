package target

import (
	"context"
	"fmt"
	"time"

	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// drain evicts the source pods of a Target that is being deleted and lets the object go when no delegate is left.
func (c *Controller) drain(ctx context.Context, object *v1alpha1.Target) (ctrl.Result, error) {
	pods := c.Elected.OnNode(v1alpha1.VirtualNodeName(object.Name))
	for _, pod := range pods {
		if pod.DeletionTimestamp == nil {
			eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name},
				DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}}}
			err := c.Source.PolicyV1().Evictions(pod.Namespace).Evict(ctx, eviction)
			if err != nil && !apierrors.IsTooManyRequests(err) && !apierrors.IsNotFound(err) {
				return ctrl.Result{}, fmt.Errorf("evicting %s/%s for the drain of target %s: %w", pod.Namespace, pod.Name, object.Name, err)
			}
		}
	}
	live := c.Registry.Get(object.Name)
	if len(pods) > 0 || (live != nil && live.Synced() && len(live.DelegateUIDs()) > 0) {
		return ctrl.Result{RequeueAfter: time.Second}, nil
	}
	c.disconnect(ctx, object.Name)
	controllerutil.RemoveFinalizer(object, v1alpha1.FinalizerDrain)
	return ctrl.Result{}, ignoreConflict(client.IgnoreNotFound(c.Client.Update(ctx, object)))
}
