package report

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

const answerLegend = "* is where it would go. Scores are the ratio to the best place, 1 is best; the lowest tier with room wins, in it the highest total.\n"

// podRefused is the reason of a review whose pod is refused as such: an answer, though without places.
const podRefused = "PodRefused"

// WithAnswer is an explanation of what would happen now. The error is what the review says of a question that it cannot
// answer.
func (e Explanation) WithAnswer(status v1alpha1.PlacementReviewStatus) (Explanation, error) {
	e.Live, e.Winner, e.Supposed, e.Elected = true, status.Winner, status.Supposed, true
	e.Record, e.Why, e.Refusals, e.Hints = nil, "", nil, nil // of the last try
	answered := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionAnswered)
	switch {
	case answered == nil:
		return e, errors.New("the review has no answer")
	case answered.Reason == podRefused:
		e.Refusals = []Refusal{{Reason: answered.Message}}
		e.Hints = hintsFor(e.Refusals)
		return e, nil
	case answered.Status != metav1.ConditionTrue || status.Placement == nil:
		return e, errors.New(answered.Message)
	}
	record, err := placement.Decode(string(status.Placement.Raw))
	if err != nil {
		return e, err
	}
	e.Record = &record
	if e.Winner != "" {
		e.Why = why(record)
		return e, nil
	}
	for _, place := range record.Places {
		e.Refusals = append(e.Refusals, Refusal{Place: place.Name, Reason: place.Reason})
	}
	e.Hints = hintsFor(e.Refusals)
	return e, nil
}

func writeAnswer(b *bytes.Buffer, e Explanation) {
	if len(e.Supposed) > 0 {
		fmt.Fprintf(b, "Supposing that %s:\n", oneLine(strings.Join(e.Supposed, "; that ")))
	}
	if e.Record == nil {
		writeRefusals(b, e)
		return
	}
	switch r := e.Record; {
	case e.Winner == "" && len(e.Supposed) == 0:
		fmt.Fprintf(b, "No place takes it now: 0/%d places fit. It is tried again whenever something changes.\n", len(r.Places))
	case e.Winner == "":
		fmt.Fprintf(b, "No place would take it: 0/%d places fit.\n", len(r.Places))
	case e.Winner == placement.LocalName:
		fmt.Fprintf(b, "It would stay local, on %s or a node like it.\n", r.Node)
	default:
		fmt.Fprintf(b, "It would go to %s.\n", e.Winner)
	}
	fmt.Fprintf(b, "By policy %s, mode %s.\n", orUnknown(e.Record.Policy), orUnknown(string(e.Record.Mode)))
	if e.Why != "" {
		fmt.Fprintf(b, "Why: %s.\n", oneLine(e.Why))
	}
	b.WriteString("\n")
	_ = placesTable(*e.Record).write(b) // a buffer takes everything
	if e.Winner != "" {
		b.WriteString("\n" + answerLegend)
	}
	writeList(b, "What to do", e.Hints)
}
