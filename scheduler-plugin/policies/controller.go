package policies

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// Condition reasons of a policy.
const (
	ReasonCompiled = "Compiled"
	ReasonInvalid  = "Invalid"
)

// Setup registers the two controllers that keep the store equal to the policy objects.
func (s *Store) Setup(mgr ctrl.Manager) error {
	c := mgr.GetClient()
	if err := ctrl.NewControllerManagedBy(mgr).For(&v1alpha1.PlacementPolicy{}).Named("placementpolicy").
		Complete(reconciler(s, c, func() *v1alpha1.PlacementPolicy { return &v1alpha1.PlacementPolicy{} },
			func(p *v1alpha1.PlacementPolicy) (*v1alpha1.PlacementPolicySpec, *v1alpha1.PlacementPolicyStatus) {
				return &p.Spec, &p.Status
			})); err != nil {
		return fmt.Errorf("setting up PlacementPolicies: %w", err)
	}
	if err := ctrl.NewControllerManagedBy(mgr).For(&v1alpha1.ClusterPlacementPolicy{}).Named("clusterplacementpolicy").
		Complete(reconciler(s, c, func() *v1alpha1.ClusterPlacementPolicy { return &v1alpha1.ClusterPlacementPolicy{} },
			func(p *v1alpha1.ClusterPlacementPolicy) (*v1alpha1.PlacementPolicySpec, *v1alpha1.PlacementPolicyStatus) {
				return &p.Spec, &p.Status
			})); err != nil {
		return fmt.Errorf("setting up ClusterPlacementPolicies: %w", err)
	}
	return nil
}

// reconciler compiles one policy and writes whether it is valid. Both kinds have the same spec and status.
func reconciler[T client.Object](s *Store, c client.Client, empty func() T,
	parts func(T) (*v1alpha1.PlacementPolicySpec, *v1alpha1.PlacementPolicyStatus)) reconcile.Reconciler {
	return reconcile.Func(func(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
		object := empty()
		if err := c.Get(ctx, req.NamespacedName, object); err != nil {
			s.Delete(req.NamespacedName)
			return ctrl.Result{}, client.IgnoreNotFound(err)
		}
		spec, _ := parts(object)
		invalid := s.Set(req.NamespacedName, *spec)
		patched := object.DeepCopyObject().(T)
		_, status := parts(patched)
		setValid(status, object.GetGeneration(), invalid)
		if _, was := parts(object); equality.Semantic.DeepEqual(*was, *status) {
			return ctrl.Result{}, nil
		}
		if err := c.Status().Patch(ctx, patched, client.MergeFrom(object)); err != nil {
			return ctrl.Result{}, fmt.Errorf("writing policy status: %w", client.IgnoreNotFound(err))
		}
		return ctrl.Result{}, nil
	})
}

func setValid(status *v1alpha1.PlacementPolicyStatus, generation int64, invalid error) {
	condition := metav1.Condition{Type: v1alpha1.ConditionValid, Status: metav1.ConditionTrue, Reason: ReasonCompiled,
		Message: "pods are placed by it", ObservedGeneration: generation}
	if invalid != nil {
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, ReasonInvalid, invalid.Error()
	}
	status.ObservedGeneration = generation
	meta.SetStatusCondition(&status.Conditions, condition)
}
