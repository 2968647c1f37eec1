package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spillway-dev/spillway/pkg/placement"
)

const (
	winnerMark = "*"
	legend     = "* is where it went. Scores are the ratio to the best place, 1 is best; the lowest tier with room wins, in it the highest total.\n"
)

// WriteExplanation writes an explanation for people.
func WriteExplanation(out io.Writer, e Explanation) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Pod %s/%s: %s", e.Namespace, e.Name, e.Phase)
	if e.Place != "" {
		fmt.Fprintf(&b, " on %s", Pod{Place: e.Place, Node: e.Node}.where())
	}
	b.WriteString("\n")
	switch {
	case !e.Elected:
		b.WriteString("It is not elected: Spillway leaves it to the cluster's own scheduler.\n")
		writeList(&b, "What is missing", e.Missing)
	case e.Node == "":
		writeRefusals(&b, e)
	case e.Record == nil:
		fmt.Fprintf(&b, "%s\n", oneLine(e.Why))
	default:
		writeRecord(&b, e)
	}
	_, err := out.Write(b.Bytes())
	return err
}

func writeRefusals(b *bytes.Buffer, e Explanation) {
	b.WriteString("No place takes it now. It is tried again whenever something changes.\n\n")
	t := table{header: []string{"PLACE", "REASON"}}
	for _, refusal := range e.Refusals {
		t.add(cmp.Or(refusal.Place, "any"), refusal.Reason)
	}
	_ = t.write(b) // a buffer takes everything
	writeList(b, "What to do", e.Hints)
}

func writeRecord(b *bytes.Buffer, e Explanation) {
	r := e.Record
	fmt.Fprintf(b, "Placed %s by policy %s, mode %s.\n", r.At.UTC().Format(time.RFC3339), orUnknown(r.Policy), orUnknown(string(r.Mode)))
	fmt.Fprintf(b, "Why: %s.\n", oneLine(e.Why))
	if r.Group != "" {
		fmt.Fprintf(b, "It is of the group %s, whose pods go to one place together.\n", oneLine(r.Group))
	}
	b.WriteString("\n")
	_ = placesTable(*r).write(b)
	if r.Omitted > 0 {
		fmt.Fprintf(b, "%d more places were considered and are not recorded.\n", r.Omitted)
	}
	b.WriteString("\n" + legend)
}

func placesTable(r placement.Record) *table {
	t := &table{header: []string{"", "PLACE", "FITS", "COST/H", "GCO2E/H", "GCO2E/KWH", "SCORES: COST", "CARBON", "CAPACITY", "TOTAL", "TIER"}}
	reasons := slices.ContainsFunc(r.Places, func(p placement.RecordPlace) bool { return p.Reason != "" })
	if reasons {
		t.header = append(t.header, "REASON")
	}
	for _, place := range r.Places {
		cells := []string{mark(won(r, place)), place.Name, yesNo(place.Feasible), money(place.Currency, place.CostPerHour),
			orUnknown(place.GramsPerHour), orUnknown(place.GramsPerKWh)}
		cells = append(cells, scoreCells(place)...)
		if reasons {
			cells = append(cells, place.Reason)
		}
		t.add(cells...)
	}
	return t
}

// scoreCells are empty-handed for a place that was refused: it was never scored, and 0 would look like a score.
func scoreCells(place placement.RecordPlace) []string {
	if !place.Feasible {
		return []string{unknown, unknown, unknown, unknown, unknown}
	}
	s := place.Scores
	return []string{s.Cost, s.Carbon, s.Capacity, strconv.FormatInt(s.Total, 10), strconv.Itoa(place.Tier)}
}

func mark(winner bool) string {
	if winner {
		return winnerMark
	}
	return ""
}

func writeList(b *bytes.Buffer, heading string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s:\n", heading)
	for _, line := range lines {
		fmt.Fprintf(b, "  - %s\n", oneLine(line))
	}
}
