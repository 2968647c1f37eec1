package target

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// facts is everything a Target's status is decided from.
type facts struct {
	object    *v1alpha1.Target
	connected error // why there is no connection; nil when there is one
	health    Health
	synced    bool
	unsettled bool // pods that are not bound may have delegates there
	room      Room
	signals   v1alpha1.SignalStatus
	signalErr error
	drain     drain
	cordoned  bool // kubectl cordon of the virtual node
}

// decide is pure: the status that the facts make.
func decide(f facts) v1alpha1.TargetStatus {
	status := *f.object.Status.DeepCopy()
	status.ObservedGeneration = f.object.Generation
	status.Signals = f.signals
	if f.connected == nil && !f.object.Spec.Self {
		status.Version = f.health.Version
		if f.health.RoundTrip > 0 {
			status.RoundTrip = &metav1.Duration{Duration: roundTrip(f.health.RoundTrip, status.RoundTrip)}
		}
	}
	if f.synced || f.object.Spec.Self {
		status.Nodes, status.Pods, status.NodeFeatures = f.room.Nodes, f.room.Delegates, f.room.Features
		status.Allocatable, status.Free = readable(f.room.Allocatable), readable(f.room.Free)
	}
	for _, c := range []metav1.Condition{
		reachable(f),
		authorized(f),
		capacityKnown(f),
		signalsFresh(f),
	} {
		if c.Status == metav1.ConditionUnknown && meta.FindStatusCondition(status.Conditions, c.Type) != nil {
			continue // a restarted controller has not asked yet: what was last known holds, or the node would flap
		}
		c.ObservedGeneration = f.object.Generation
		meta.SetStatusCondition(&status.Conditions, c)
	}
	c := ready(f, status.Conditions)
	c.ObservedGeneration = f.object.Generation
	meta.SetStatusCondition(&status.Conditions, c)
	setDrained(&status.Conditions, f.drain, f.object.Generation)
	if f.synced { // else what an earlier connection, or process, has sent is not known
		// A cordoned node still takes pods that tolerate it.
		status.Sending = c.Status == metav1.ConditionTrue || c.Reason == ReasonCordoned || f.unsettled
	}
	return status
}

func reachable(f facts) metav1.Condition {
	switch {
	case f.object.Spec.Self:
		return condition(v1alpha1.ConditionReachable, true, ReasonSelf, "the source cluster itself")
	case f.connected != nil:
		reason := ReasonKubeconfigMissing
		if k, ok := f.connected.(*KubeconfigError); ok {
			reason = k.Reason
		}
		return condition(v1alpha1.ConditionReachable, false, reason, f.connected.Error())
	}
	if f.health.Reason == ReasonConnecting {
		return unknown(v1alpha1.ConditionReachable, f.health.Reason, f.health.Message)
	}
	return condition(v1alpha1.ConditionReachable, f.health.Reachable, f.health.Reason, f.health.Message)
}

func authorized(f facts) metav1.Condition {
	switch {
	case f.object.Spec.Self:
		return condition(v1alpha1.ConditionAuthorized, true, ReasonSelf, "the source cluster itself")
	case f.health.Reason == ReasonUnauthorized:
		return condition(v1alpha1.ConditionAuthorized, false, ReasonUnauthorized, f.health.Message)
	case f.health.Rights == nil:
		return unknown(v1alpha1.ConditionAuthorized, ReasonConnecting, "the target has not been asked yet")
	case len(f.health.Rights.Missing) > 0:
		return condition(v1alpha1.ConditionAuthorized, false, ReasonMissingRights, f.health.Rights.Message())
	}
	return condition(v1alpha1.ConditionAuthorized, true, ReasonAuthorized, "the kubeconfig's user may do all that is needed"+f.health.Rights.Note())
}

func capacityKnown(f facts) metav1.Condition {
	switch {
	case f.object.Spec.Self, f.synced:
		return condition(v1alpha1.ConditionCapacityKnown, true, ReasonWatching, fmt.Sprintf("%d nodes take pods", f.room.Nodes))
	}
	return unknown(v1alpha1.ConditionCapacityKnown, ReasonSyncing, "nodes and pods have not been read yet")
}

func signalsFresh(f facts) metav1.Condition {
	if f.signalErr != nil {
		return condition(v1alpha1.ConditionSignalsFresh, false, ReasonSignalsMissing, f.signalErr.Error())
	}
	return condition(v1alpha1.ConditionSignalsFresh, true, ReasonSignalsInForce, signalWords(f.signals))
}

// ready sums up what a pod needs; signals are not part of it, because a place of unknown price is still a place.
func ready(f facts, conditions []metav1.Condition) metav1.Condition {
	for _, kind := range []string{v1alpha1.ConditionReachable, v1alpha1.ConditionAuthorized, v1alpha1.ConditionCapacityKnown} {
		if c := meta.FindStatusCondition(conditions, kind); c.Status != metav1.ConditionTrue {
			return condition(v1alpha1.ConditionReady, false, c.Reason, c.Message)
		}
	}
	switch {
	case !f.object.DeletionTimestamp.IsZero():
		return condition(v1alpha1.ConditionReady, false, ReasonDraining, fmt.Sprintf(
			"the Target is being deleted; %d delegates still run there", f.room.Delegates))
	case f.object.Spec.Unschedulable:
		return condition(v1alpha1.ConditionReady, false, ReasonUnschedulable, messageUnschedulable)
	case f.cordoned:
		return condition(v1alpha1.ConditionReady, false, ReasonCordoned, fmt.Sprintf(messageCordoned, v1alpha1.VirtualNodeName(f.object.Name)))
	}
	return condition(v1alpha1.ConditionReady, true, ReasonReady, "pods may go there")
}

func signalWords(s v1alpha1.SignalStatus) string {
	words := "price unknown"
	if s.Price != "" {
		words = "price " + s.Price + " per core hour"
	}
	if s.GramsPerKWh == "" {
		return words + ", carbon intensity unknown"
	}
	return words + ", " + s.GramsPerKWh + " gCO2e/kWh"
}

func condition(kind string, ok bool, reason, message string) metav1.Condition {
	status := metav1.ConditionFalse
	if ok {
		status = metav1.ConditionTrue
	}
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
}

func unknown(kind, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionUnknown, Reason: reason, Message: message}
}

// roundTrip keeps the shown value unless it changed by half: it differs at every probe, and each change is a write.
func roundTrip(now time.Duration, shown *metav1.Duration) time.Duration {
	if shown != nil && now < shown.Duration*3/2+5*time.Millisecond && now > shown.Duration/2-5*time.Millisecond {
		return shown.Duration
	}
	return now.Round(100 * time.Microsecond)
}

// readable rounds memory to MiB and keeps what people look at.
func readable(list corev1.ResourceList) corev1.ResourceList {
	shown := corev1.ResourceList{}
	for name, q := range list {
		if name == corev1.ResourceMemory || name == corev1.ResourceEphemeralStorage {
			q = *resource.NewQuantity(q.Value()>>20<<20, resource.BinarySI)
		}
		shown[name] = q
	}
	return shown
}
