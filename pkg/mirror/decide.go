package mirror

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/spillway-dev/spillway/pkg/target"
)

// pair is what is known of one source pod and one delegate.
type pair struct {
	source   *corev1.Pod // nil: not in the cache
	departed *corev1.Pod // its last state, when it was seen to leave the cache; nil otherwise
	target   *target.Target
	delegate *corev1.Pod // nil: there is none
	last     *corev1.Pod // of a delegate that had ended before it went: its last state; nil otherwise
	bound    bool        // the source is bound to this target's virtual node
	synced   bool        // the target's cache has been filled, so a missing delegate is really missing
}

// action is what one pair needs.
type action string

const (
	nothing        action = "nothing"
	mirrorStatus   action = "mirror status"
	mirrorLast     action = "mirror last status" // of a delegate that went faster than it was mirrored
	deleteDelegate action = "delete delegate"
	collect        action = "collect delegate" // after asking the source's API server whether the pod is really gone
	endUnseen      action = "end unseen"       // finalizers keep the source, and nothing will tell how its delegate ended
	finishSource   action = "finish source"    // its delegate is gone, so its deletion can end
	loseSource     action = "lose source"      // its delegate is gone, and nobody here asked for that
)

// decide is pure.
func decide(p pair) action {
	switch {
	case p.source == nil && p.delegate == nil:
		return nothing
	case p.source == nil && p.delegate.DeletionTimestamp != nil:
		return nothing
	case p.source == nil && p.departed != nil && p.departed.DeletionTimestamp != nil:
		return deleteDelegate
	case p.source == nil:
		return collect
	case p.source.Spec.NodeName == "":
		return nothing // the scheduler is at it
	case !p.bound && p.delegate != nil && p.delegate.DeletionTimestamp == nil:
		return deleteDelegate // bound elsewhere: this one must not run as well
	case !p.bound:
		return nothing
	case p.delegate == nil && !p.synced:
		return nothing
	case p.delegate == nil && p.last != nil && !target.Ended(p.source):
		return mirrorLast
	case p.delegate == nil && p.source.DeletionTimestamp != nil && len(p.source.Finalizers) > 0 && !target.Ended(p.source):
		return endUnseen
	case p.delegate == nil && p.source.DeletionTimestamp != nil:
		return finishSource
	case p.delegate == nil && !target.Ended(p.source):
		return loseSource
	case p.delegate == nil:
		return nothing
	case p.source.DeletionTimestamp != nil && deletionDiffers(p.source, p.delegate):
		return deleteDelegate
	}
	return mirrorStatus
}

// deletionDiffers tells whether the delegate is not yet being deleted, or with a longer grace than the source now has.
func deletionDiffers(source, delegate *corev1.Pod) bool {
	if delegate.DeletionTimestamp == nil {
		return true
	}
	has, wants := delegate.DeletionGracePeriodSeconds, graceOf(source)
	return has != nil && wants != nil && *wants < *has
}

// graceOf is what a source's deletion leaves its delegate, in seconds; nil for the pod's own. A pod that is deleted without
// any, and that finalizers keep, is still looked at: with none its delegate would be gone before its end could be told.
func graceOf(source *corev1.Pod) *int64 {
	grace := source.DeletionGracePeriodSeconds
	if grace != nil && *grace == 0 && len(source.Finalizers) > 0 {
		return ptr.To[int64](1)
	}
	return grace
}
