package review

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

// answer returns the status of a review. Its only error is ErrNotRunning: whatever else goes wrong is an answer too.
func (c *Controller) answer(ctx context.Context, r *v1alpha1.PlacementReview) (*v1alpha1.PlacementReviewStatus, error) {
	status := &v1alpha1.PlacementReviewStatus{ObservedGeneration: r.Generation}
	q, err := c.understand(r)
	if err != nil {
		return c.unanswered(status, r, err), nil
	}
	status.Supposed = q.supposed
	record, refused, err := c.Asked.Review(ctx, q.pod, q.whatIf)
	switch {
	case errors.Is(err, c.ErrNotRunning):
		return nil, err
	case err != nil:
		return c.unanswered(status, r, err), nil
	case refused != "":
		return c.unanswered(status, r, refuse(ReasonPodRefused, "%s", refused)), nil
	}
	encoded, err := json.Marshal(record.Whole())
	if err != nil {
		return c.unanswered(status, r, fmt.Errorf("encoding the placement: %w", err)), nil
	}
	status.Placement = &runtime.RawExtension{Raw: encoded}
	if record.Node == "" {
		c.setAnswered(status, r, metav1.ConditionTrue, ReasonNoPlaceFits, fmt.Sprintf(saysNothing, len(record.Places)))
		return status, nil
	}
	status.Winner = cmp.Or(record.Target, placement.LocalName)
	c.setAnswered(status, r, metav1.ConditionTrue, ReasonPlaceFound, fmt.Sprintf(saysWinner, status.Winner))
	return status, nil
}

func (c *Controller) unanswered(status *v1alpha1.PlacementReviewStatus, r *v1alpha1.PlacementReview, err error) *v1alpha1.PlacementReviewStatus {
	reason := ReasonFailed
	var known *unanswerable
	if errors.As(err, &known) {
		reason = known.reason
	}
	c.setAnswered(status, r, metav1.ConditionFalse, reason, err.Error())
	return status
}

func (c *Controller) setAnswered(status *v1alpha1.PlacementReviewStatus, r *v1alpha1.PlacementReview, is metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&status.Conditions, metav1.Condition{Type: v1alpha1.ConditionAnswered, Status: is, Reason: reason,
		Message: message, ObservedGeneration: r.Generation, LastTransitionTime: metav1.NewTime(c.Clock.Now())})
}
