package delegate

import (
	"encoding/json"
	"fmt"
	"regexp"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// eventHash keeps one event of a target from being taken for another.
const eventHash = 16

// nameEnd is what the names of delegates end in.
var nameEnd = regexp.MustCompile(fmt.Sprintf("-[%s]{%d}$", consonants, delegateHash))

// IsName tells whether a pod of this name may be a delegate; of other pods hardly any name is such.
func IsName(name string) bool { return nameEnd.MatchString(name) }

// Event returns what a target's event about a delegate is on its source pod: the same reporter, reason, type and count, and
// the message after the target's name. `kubectl describe` and `kubectl events` show nothing else in which the name could be,
// and the reporter is what events are selected by (`source=kubelet`). Its own name follows from the target's event, so that
// it is written once.
func Event(source *corev1.Pod, got *corev1.Event, o StatusOptions) *corev1.Event {
	reporter := got.Source.Component
	if reporter == "" {
		reporter = got.ReportingController
	}
	first, last := eventTimes(got)
	return &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: source.Namespace,
			Name:      shorten(source.Name, maxSubdomain-1-eventHash) + "." + EventID(o.Target, got.UID),
			Labels:    map[string]string{v1alpha1.LabelTarget: o.Target},
		},
		InvolvedObject: corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: source.Namespace, Name: source.Name,
			UID: source.UID, FieldPath: word(got.InvolvedObject.FieldPath)},
		Reason:              word(got.Reason),
		Message:             saidBy(o.Target, got.Message),
		Type:                eventType(got.Type),
		Source:              corev1.EventSource{Component: word(reporter), Host: o.Target},
		ReportingController: word(reporter),
		ReportingInstance:   o.Target,
		FirstTimestamp:      notLater(first, o.Now),
		LastTimestamp:       notLater(last, o.Now),
		Count:               EventCount(got),
	}
}

// EventID stands for an event of a target; the names of the events in the source end in it, after a dot.
func EventID(target string, event types.UID) string { return hash(eventHash, target, string(event)) }

// EventPatch is the merge patch that brings an event up to the target's latest count.
func EventPatch(want *corev1.Event) ([]byte, error) {
	patch, err := json.Marshal(fields{"count": want.Count, "lastTimestamp": want.LastTimestamp, "message": want.Message})
	if err != nil {
		return nil, fmt.Errorf("encoding event %s/%s: %w", want.Namespace, want.Name, err)
	}
	return patch, nil
}

// EventCount is how often an event has happened, in either of the two ways in which events say it.
func EventCount(got *corev1.Event) int32 {
	count := max(got.Count, 1)
	if got.Series != nil {
		count = max(count, got.Series.Count)
	}
	return count
}

func eventTimes(got *corev1.Event) (first, last metav1.Time) {
	first, last = got.FirstTimestamp, got.LastTimestamp
	if first.IsZero() {
		first = metav1.NewTime(got.EventTime.Time)
	}
	if first.IsZero() {
		first = got.CreationTimestamp
	}
	if got.Series != nil {
		last = metav1.NewTime(got.Series.LastObservedTime.Time)
	}
	if last.IsZero() {
		last = first
	}
	return first, last
}

func eventType(got string) string {
	if got == corev1.EventTypeWarning {
		return got
	}
	return corev1.EventTypeNormal
}

func notLater(t, now metav1.Time) metav1.Time {
	if ahead(&t, now) {
		return now.Rfc3339Copy()
	}
	return t
}
