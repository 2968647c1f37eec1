package policies

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

// Condition reasons of a policy; those of Effective are placement's.
const (
	ReasonCompiled = "Compiled"
	ReasonInvalid  = "Invalid"
)

const (
	messageCompiled = "pods are placed by it"
	// recheck makes up for what no event tells, such as a label on a virtual node. It reads memory only.
	recheck = time.Minute
	// settling is how soon it is looked again while targets are still being connected or disconnected.
	settling = time.Second
)

// Places are the local nodes as one place and all targets, with an empty request, for Policy.EffectOn; false while not all
// targets are known yet. It answers from memory.
type Places func() ([]placement.Place, bool)

// Setup registers the two controllers that keep the store equal to the policy objects.
func (s *Store) Setup(mgr ctrl.Manager, places Places) error {
	r := &reconciler{store: s, client: mgr.GetClient(), places: places}
	for name, kind := range map[string]func() client.Object{
		"placementpolicy":        func() client.Object { return &v1alpha1.PlacementPolicy{} },
		"clusterplacementpolicy": func() client.Object { return &v1alpha1.ClusterPlacementPolicy{} },
	} {
		_, namespaced := kind().(*v1alpha1.PlacementPolicy)
		if err := ctrl.NewControllerManagedBy(mgr).For(kind()).Named(name).
			Watches(&v1alpha1.Target{}, s.whenTargetsChange(namespaced), builder.WithPredicates(predicate.Funcs{UpdateFunc: mattersToPolicies})).
			Complete(r.of(kind)); err != nil {
			return fmt.Errorf("setting up %s: %w", name, err)
		}
	}
	return nil
}

// whenTargetsChange looks at all policies again; after a deletion a moment later, when the connection has ended too.
func (s *Store) whenTargetsChange(namespaced bool) handler.EventHandler {
	after := func(pause time.Duration, q workqueue.TypedRateLimitingInterface[ctrl.Request]) {
		for _, request := range s.requests(namespaced) {
			q.AddAfter(request, pause)
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, _ event.CreateEvent, q workqueue.TypedRateLimitingInterface[ctrl.Request]) {
			after(0, q)
		},
		UpdateFunc: func(_ context.Context, _ event.UpdateEvent, q workqueue.TypedRateLimitingInterface[ctrl.Request]) {
			after(0, q)
		},
		DeleteFunc: func(_ context.Context, _ event.DeleteEvent, q workqueue.TypedRateLimitingInterface[ctrl.Request]) {
			after(settling, q)
		},
	}
}

// requests are all known policies of one kind.
func (s *Store) requests(namespaced bool) []ctrl.Request {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var found []ctrl.Request
	for key := range s.known {
		if (key.Namespace != "") == namespaced {
			found = append(found, ctrl.Request{NamespacedName: key})
		}
	}
	return found
}

// mattersToPolicies leaves out the figures in a Target's status, which change with every pod. The controller of Targets
// writes conditions, signals and observedGeneration after it has acted on them, so none of these comes too early.
func mattersToPolicies(e event.UpdateEvent) bool {
	was, is := e.ObjectOld.(*v1alpha1.Target), e.ObjectNew.(*v1alpha1.Target)
	return was.Status.ObservedGeneration != is.Status.ObservedGeneration ||
		!equality.Semantic.DeepEqual(was.Status.Signals, is.Status.Signals) ||
		!equality.Semantic.DeepEqual(was.Status.Conditions, is.Status.Conditions)
}

// reconciler compiles one policy and writes whether it is valid, and whether it lets pods burst.
type reconciler struct {
	store  *Store
	client client.Client
	places Places
}

func (r *reconciler) of(kind func() client.Object) reconcile.Reconciler {
	return reconcile.Func(func(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
		object := kind()
		if err := r.client.Get(ctx, req.NamespacedName, object); err != nil {
			r.store.Delete(req.NamespacedName)
			return ctrl.Result{}, client.IgnoreNotFound(err)
		}
		spec, was := parts(object)
		policy, invalid := r.store.Set(req.NamespacedName, *spec)
		patched := object.DeepCopyObject().(client.Object)
		_, status := parts(patched)
		places, known := r.places()
		decide(status, object.GetGeneration(), policy, invalid, places, known)
		again := recheck
		if !known {
			again = settling
		}
		if equality.Semantic.DeepEqual(*was, *status) {
			return ctrl.Result{RequeueAfter: again}, nil
		}
		if err := r.client.Status().Patch(ctx, patched, client.MergeFrom(object)); err != nil {
			return ctrl.Result{}, fmt.Errorf("writing policy status: %w", client.IgnoreNotFound(err))
		}
		return ctrl.Result{RequeueAfter: again}, nil
	})
}

// parts of either kind: both have the same spec and status.
func parts(object client.Object) (*v1alpha1.PlacementPolicySpec, *v1alpha1.PlacementPolicyStatus) {
	if p, ok := object.(*v1alpha1.PlacementPolicy); ok {
		return &p.Spec, &p.Status
	}
	p := object.(*v1alpha1.ClusterPlacementPolicy)
	return &p.Spec, &p.Status
}

// decide is pure: the conditions that a policy has among these places. While not all are known, what was last said of its
// effect holds, or it would flap at every start.
func decide(status *v1alpha1.PlacementPolicyStatus, generation int64, policy *placement.Policy, invalid error, places []placement.Place, known bool) {
	status.ObservedGeneration = generation
	set := func(kind string, ok bool, reason, message string) {
		c := metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: reason, Message: message, ObservedGeneration: generation}
		if !ok {
			c.Status = metav1.ConditionFalse
		}
		meta.SetStatusCondition(&status.Conditions, c)
	}
	if invalid != nil {
		set(v1alpha1.ConditionValid, false, ReasonInvalid, invalid.Error())
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionEffective)
		return
	}
	set(v1alpha1.ConditionValid, true, ReasonCompiled, messageCompiled)
	if known {
		effect := policy.EffectOn(places)
		set(v1alpha1.ConditionEffective, effect.OK, string(effect.Reason), effect.Message)
	}
}
