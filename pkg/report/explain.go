package report

import (
	"cmp"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

// Explanation is why a pod is where it is, or nowhere. A pod that has been placed has a Record, a pending one Refusals, one
// that is not elected Missing. An answer to "what would happen now?" has a Record too, and says Live.
type Explanation struct {
	// Kind of a workload that has not been submitted; empty for a pod that exists.
	Kind      string `json:"kind,omitempty"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Phase     string `json:"phase,omitempty"`
	Elected   bool   `json:"elected"`
	// Place is a target's name or "local"; empty while the pod is pending.
	Place string `json:"place,omitempty"`
	Node  string `json:"node,omitempty"`
	Why   string `json:"why,omitempty"`
	// Live says that Record is what would happen now, if what is Supposed were so; Winner is the place that would take the
	// pod, empty when none would.
	Live     bool     `json:"live,omitempty"`
	Winner   string   `json:"winner,omitempty"`
	Supposed []string `json:"supposed,omitempty"`
	// NotLive is why the Refusals are those of the pod's last try.
	NotLive string            `json:"notLive,omitempty"`
	Record  *placement.Record `json:"record,omitempty"`
	// Refusals are the reasons of a pending pod's last try, place by place; Hints what to do.
	Refusals []Refusal `json:"refusals,omitempty"`
	Hints    []string  `json:"hints,omitempty"`
	// Missing is what keeps the pod from being elected, each with what to do.
	Missing []string `json:"missing,omitempty"`
}

// Explain explains one pod, with its namespace's labels and the names of all targets.
func Explain(object *corev1.Pod, namespaceLabels map[string]string, targets []string) Explanation {
	line := pod(object)
	e := Explanation{Namespace: line.Namespace, Name: line.Name, Phase: line.Phase, Node: line.Node, Place: line.Place,
		Elected: object.Labels[v1alpha1.LabelElected] == v1alpha1.ElectedTrue}
	if !e.Elected {
		e.Missing = missing(object, namespaceLabels)
		return e
	}
	if e.Node == "" {
		e.Refusals = refusals(cmp.Or(schedulerMessage(object), whyWaiting), targets)
		e.Hints = hintsFor(e.Refusals)
		return e
	}
	e.Why = line.Why
	if record, err := placement.Decode(object.Annotations[v1alpha1.AnnotationPlacement]); err == nil {
		e.Record = &record
	}
	return e
}

// NotSubmitted explains a workload's pod that admission, asked in a dry run, did not elect.
func NotSubmitted(kind, name string, object *corev1.Pod, namespaceLabels map[string]string) Explanation {
	return Explanation{Kind: kind, Namespace: object.Namespace, Name: name, Missing: missing(object, namespaceLabels)}
}

// missing is what admission found wanting when the pod was created, as far as it can still be seen.
func missing(object *corev1.Pod, namespaceLabels map[string]string) []string {
	var found []string
	if !anyAnnotation(object.Annotations) {
		found = append(found, fmt.Sprintf(missingAnnotation, v1alpha1.AnnotationElect, v1alpha1.AnnotationElect))
	}
	if !anyBurstLabel(namespaceLabels) {
		found = append(found, fmt.Sprintf(missingLabel, object.Namespace, object.Namespace, v1alpha1.LabelBurst, v1alpha1.BurstEnabled))
	}
	if len(found) > 0 {
		return found
	}
	if s := object.Spec.SchedulerName; s != "" && s != corev1.DefaultSchedulerName && s != v1alpha1.SchedulerName {
		return []string{fmt.Sprintf(otherScheduler, s)}
	}
	return []string{fmt.Sprintf(notAdmitted, v1alpha1.LabelElected)}
}

func anyAnnotation(annotations map[string]string) bool {
	for _, key := range v1alpha1.ElectAnnotations {
		if _, ok := annotations[key]; ok {
			return true
		}
	}
	return false
}

func anyBurstLabel(labels map[string]string) bool {
	for _, label := range v1alpha1.BurstLabels {
		if labels[label.Key] == label.Value {
			return true
		}
	}
	return false
}
