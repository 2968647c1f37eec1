package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

const (
	askInterval = 50 * time.Millisecond
	// cleanUpTimeout bounds the deletion of a review; one that stays is deleted by the controller.
	cleanUpTimeout = 2 * time.Second

	noReviews = "this cluster does not know PlacementReviews: install or upgrade Spillway in it (kubectl apply -k deploy), or " +
		"name the source cluster with --kubeconfig or --context"
	noRight  = "%w: ask for the role edit in the namespace, or for the ClusterRole spillway-review"
	noAnswer = "no answer within %s: is spillway-controller running? spillway check; kubectl -n spillway-system get pods"
)

// ask has the controller answer one question: it alone knows what fits in the targets.
func (o *explainOptions) ask(ctx context.Context, c client.Client, namespace string, spec v1alpha1.PlacementReviewSpec) (v1alpha1.PlacementReviewStatus, error) {
	review := &v1alpha1.PlacementReview{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "explain-"}, Spec: spec}
	if err := c.Create(ctx, review); err != nil {
		return review.Status, askingFailed(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTimeout)
		defer cancel()
		_ = c.Delete(ctx, review) // the controller deletes it in the end
	}()
	err := wait.PollUntilContextTimeout(ctx, askInterval, o.timeout, false, func(ctx context.Context) (bool, error) {
		if err := c.Get(ctx, client.ObjectKeyFromObject(review), review); err != nil {
			return false, err
		}
		return review.Status.ObservedGeneration == review.Generation, nil
	})
	switch {
	case wait.Interrupted(err) && ctx.Err() == nil:
		return review.Status, fmt.Errorf(noAnswer, o.timeout)
	case err != nil:
		return review.Status, fmt.Errorf("waiting for the answer: %w", err)
	}
	return review.Status, nil
}

func askingFailed(err error) error {
	switch {
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err) && !namespaceGone(err):
		return errors.New(noReviews)
	case apierrors.IsForbidden(err):
		return fmt.Errorf(noRight, err)
	}
	return fmt.Errorf("asking the controller: %w", err)
}

// namespaceGone tells a missing namespace from a missing kind: the API server says "not found" of both.
func namespaceGone(err error) bool {
	status, ok := err.(apierrors.APIStatus)
	return ok && status.Status().Details != nil && status.Status().Details.Kind == "namespaces"
}
