package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

// Pod is one line about an elected pod. Numbers are decimals as text, of an hour of the pod, empty where unknown.
type Pod struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Phase     string `json:"phase"`
	// Place is a target's name or "local"; empty while the pod is pending.
	Place        string `json:"place,omitempty"`
	Node         string `json:"node,omitempty"`
	CostPerHour  string `json:"costPerHour,omitempty"`
	Currency     string `json:"currency,omitempty"`
	GramsPerHour string `json:"gramsPerHour,omitempty"`
	Why          string `json:"why"`
}

// Pods sums up elected pods, by namespace and name.
func Pods(objects []corev1.Pod) []Pod {
	lines := make([]Pod, 0, len(objects))
	for i := range objects {
		lines = append(lines, pod(&objects[i]))
	}
	slices.SortFunc(lines, func(a, b Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return lines
}

// WritePods writes the table.
func WritePods(out io.Writer, pods []Pod) error {
	t := table{header: []string{"POD", "PHASE", "RUNS ON", "COST/H", "GCO2E/H", "WHY"}}
	for _, line := range pods {
		t.add(line.Namespace+"/"+line.Name, line.Phase, line.where(), money(line.Currency, line.CostPerHour), orUnknown(line.GramsPerHour), line.Why)
	}
	return t.write(out)
}

// where names the node only where the place does not: a virtual node is its target.
func (p Pod) where() string {
	if p.Place == placement.LocalName {
		return p.Place + " (" + p.Node + ")"
	}
	return orUnknown(p.Place)
}

func pod(object *corev1.Pod) Pod {
	line := Pod{Namespace: object.Namespace, Name: object.Name, Phase: phase(object), Node: object.Spec.NodeName}
	if line.Node == "" {
		line.Why = cmp.Or(schedulerMessage(object), whyWaiting)
		return line
	}
	line.Place = placeOf(line.Node)
	encoded, ok := object.Annotations[v1alpha1.AnnotationPlacement]
	if !ok {
		line.Why = whyNoRecord
		return line
	}
	record, err := placement.Decode(encoded)
	if err != nil {
		line.Why = err.Error()
		return line
	}
	line.Why = why(record)
	if best := winner(record); best != nil {
		line.CostPerHour, line.Currency, line.GramsPerHour = best.CostPerHour, best.Currency, best.GramsPerHour
	}
	return line
}

func phase(object *corev1.Pod) string {
	if object.DeletionTimestamp != nil {
		return "Terminating"
	}
	return cmp.Or(object.Status.Reason, string(object.Status.Phase))
}

func placeOf(node string) string {
	if target, virtual := strings.CutPrefix(node, v1alpha1.VirtualNodePrefix); virtual {
		return target
	}
	return placement.LocalName
}

// why puts a placement in one line.
func why(r placement.Record) string {
	best, next, feasible := winner(r), (*placement.RecordPlace)(nil), 0
	for i, place := range r.Places {
		if !place.Feasible {
			continue
		}
		feasible++
		if !won(r, place) && (next == nil || place.Scores.Total > next.Scores.Total) {
			next = &r.Places[i]
		}
	}
	switch {
	case len(r.Places)+r.Omitted == 1:
		return whyOnlyPlace
	case best == nil || next == nil:
		return fmt.Sprintf(whyOnlyFit, len(r.Places)+r.Omitted) + localRefusal(r)
	case best.Local && r.Mode == v1alpha1.ModeLocalFirst:
		return whyLocalFirst
	}
	s := best.Scores
	if best.Sticky {
		return fmt.Sprintf(whyStays, s.Total, s.Cost, s.Carbon, s.Capacity, next.Name, next.Scores.Total) + localRefusal(r)
	}
	return fmt.Sprintf(whyBest, feasible, s.Total, s.Cost, s.Carbon, s.Capacity, next.Name, next.Scores.Total) + localRefusal(r)
}

// localRefusal is why a pod that would have stayed did not.
func localRefusal(r placement.Record) string {
	for _, place := range r.Places {
		if place.Local && !place.Feasible && place.Reason != "" {
			return fmt.Sprintf(whyLocalFull, place.Reason)
		}
	}
	return ""
}

func winner(r placement.Record) *placement.RecordPlace {
	for i, place := range r.Places {
		if won(r, place) {
			return &r.Places[i]
		}
	}
	return nil
}

func won(r placement.Record, place placement.RecordPlace) bool {
	if r.Node == "" { // an answer that nothing fits
		return false
	}
	if r.Target == "" {
		return place.Local
	}
	return !place.Local && place.Name == r.Target
}
