package report

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/spillway-dev/spillway/pkg/placement"
)

// Refusal is one place's reason against a pending pod; Place is empty where the reason is not one place's.
type Refusal struct {
	Place  string `json:"place,omitempty"`
	Reason string `json:"reason"`
}

// schedulerMessage is what the condition PodScheduled says of places: "cloud: 4 Insufficient cpu; local: …". The count of
// places before it says nothing that they do not.
func schedulerMessage(pod *corev1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status != corev1.ConditionTrue {
			message := c.Message
			if head, rest, ok := strings.Cut(message, " places fit: "); ok && strings.HasPrefix(head, "0/") {
				message = rest
			}
			return strings.TrimSuffix(message, ".")
		}
	}
	return ""
}

// refusals splits a scheduler's message by place. Only a name in targets starts a new reason, because reasons have colons
// and semicolons of their own.
func refusals(message string, targets []string) []Refusal {
	var split []Refusal
	for part := range strings.SplitSeq(message, "; ") {
		names, reason, ok := strings.Cut(part, ": ")
		switch {
		case ok && isPlace(names, targets):
			split = append(split, Refusal{Place: names, Reason: reason})
		case len(split) > 0:
			split[len(split)-1].Reason += "; " + part
		case part != "":
			split = append(split, Refusal{Reason: part})
		}
	}
	return split
}

// isPlace tells by the first of several names: "cloud, heata and 7 more".
func isPlace(names string, targets []string) bool {
	first, _, _ := strings.Cut(names, ", ")
	return first == placement.LocalName || slices.Contains(targets, first)
}

// hintsFor says what to do about reasons, each once.
func hintsFor(refusals []Refusal) []string {
	var found []string
	for _, refusal := range refusals {
		for _, h := range hints {
			if strings.Contains(refusal.Reason, h.part) && !slices.Contains(found, h.hint) {
				found = append(found, h.hint)
			}
		}
	}
	return found
}
