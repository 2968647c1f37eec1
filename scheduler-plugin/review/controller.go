// Package review answers PlacementReviews: where would this pod go now, and why, and what if? A review comes in; out comes
// its status, once, with the placement that the scheduler would record, and a few minutes later its deletion. Nothing else
// is done: no pod is touched, no target is asked, no event is written.
package review

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
	schedulerplugin "github.com/spillway-dev/spillway/scheduler-plugin"
)

const (
	// lifetime of a review: whoever asked has read the answer by then, or never will.
	lifetime = 5 * time.Minute
	// notYet is how soon a review is looked at again that came while the scheduler was starting.
	notYet = 500 * time.Millisecond
)

// Asked is the scheduler, as far as it can be asked.
type Asked interface {
	// Review returns where a pod would go, or why it is refused as such. See ErrNotRunning in Options.
	Review(ctx context.Context, pod *corev1.Pod, w schedulerplugin.WhatIf) (placement.Record, string, error)
	// Places are all that may be supposed to be down.
	Places() []string
	// MayLeave says why a pod may not leave the source; "" when it may.
	MayLeave(pod *corev1.Pod) string
}

// Policies finds policies by name: the namespace's first.
type Policies interface {
	Named(namespace, name string) (*placement.Policy, error)
}

// Options of the controller.
type Options struct {
	Client        client.Client
	Asked         Asked
	ErrNotRunning error // of Asked, while the scheduler starts
	Pods          corelisters.PodLister
	Policies      Policies
	Clock         clock.PassiveClock
}

// Controller answers reviews.
type Controller struct{ Options }

// New returns the controller.
func New(o Options) *Controller { return &Controller{Options: o} }

// Setup registers it. A standby does not answer: its scheduler knows nothing.
func (c *Controller) Setup(mgr ctrl.Manager) error {
	err := ctrl.NewControllerManagedBy(mgr).For(&v1alpha1.PlacementReview{}).Named("placementreview").Complete(c)
	if err != nil {
		return fmt.Errorf("setting up PlacementReviews: %w", err)
	}
	return nil
}

// Reconcile answers a review that has no answer, and deletes one that is old.
func (c *Controller) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	review := &v1alpha1.PlacementReview{}
	if err := c.Client.Get(ctx, req.NamespacedName, review); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	left := lifetime - c.Clock.Since(review.CreationTimestamp.Time)
	if left <= 0 {
		if err := c.Client.Delete(ctx, review); client.IgnoreNotFound(err) != nil {
			return ctrl.Result{}, fmt.Errorf("deleting an old review: %w", err)
		}
		return ctrl.Result{}, nil
	}
	if review.Status.ObservedGeneration == review.Generation {
		return ctrl.Result{RequeueAfter: left}, nil
	}
	status, err := c.answer(ctx, review)
	if errors.Is(err, c.ErrNotRunning) {
		return ctrl.Result{RequeueAfter: notYet}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	answered := review.DeepCopy()
	answered.Status = *status
	if err := c.Client.Status().Patch(ctx, answered, client.MergeFrom(review)); client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("writing the answer: %w", err)
	}
	return ctrl.Result{RequeueAfter: left}, nil
}
