package report

import (
	"cmp"
	"io"
	"slices"
	"strconv"

	"github.com/spillway-dev/spillway/pkg/placement"
)

// Alternative is what a group of pods costs, or would have cost, if all of them ran in one place.
type Alternative struct {
	Place string `json:"place"`
	// Pods of the group that went there.
	Pods int `json:"pods"`
	// CostPerHour and GramsPerHour of all pods of the group; empty when unknown for one of them.
	CostPerHour  string `json:"costPerHour,omitempty"`
	Currency     string `json:"currency,omitempty"`
	GramsPerHour string `json:"gramsPerHour,omitempty"`
	// Reason why the place did not take a pod.
	Reason string `json:"reason,omitempty"`

	seen int
}

// Compare sums records up by place, the one with most pods first.
func Compare(records []placement.Record) []Alternative {
	byName := map[string]*Alternative{}
	for _, r := range records {
		for _, place := range r.Places {
			a := byName[place.Name]
			if a == nil {
				a = &Alternative{Place: place.Name, Currency: place.Currency, CostPerHour: "0", GramsPerHour: "0"}
				byName[place.Name] = a
			}
			a.count(place, won(r, place))
		}
	}
	found := make([]Alternative, 0, len(byName))
	for _, a := range byName {
		if a.seen < len(records) { // some pods' records do not list it, so its sums are of fewer pods
			a.CostPerHour, a.GramsPerHour = "", ""
		}
		found = append(found, *a)
	}
	slices.SortFunc(found, func(a, b Alternative) int { return cmp.Or(cmp.Compare(b.Pods, a.Pods), cmp.Compare(a.Place, b.Place)) })
	return found
}

// WriteAlternatives writes the table.
func WriteAlternatives(out io.Writer, alternatives []Alternative) error {
	t := table{header: []string{"PLACE", "PODS", "ALL THERE: COST/H", "GCO2E/H", "REFUSED BECAUSE"}}
	for _, a := range alternatives {
		t.add(a.Place, strconv.Itoa(a.Pods), money(a.Currency, a.CostPerHour), orUnknown(a.GramsPerHour), orUnknown(a.Reason))
	}
	return t.write(out)
}

func (a *Alternative) count(place placement.RecordPlace, here bool) {
	a.seen++
	if here {
		a.Pods++
	}
	if a.Currency != place.Currency {
		a.CostPerHour = "" // sums of two currencies mean nothing
	}
	a.CostPerHour, a.GramsPerHour = sum(a.CostPerHour, place.CostPerHour), sum(a.GramsPerHour, place.GramsPerHour)
	a.Reason = cmp.Or(a.Reason, place.Reason)
}

// sum adds decimals; what is unknown stays unknown.
func sum(a, b string) string {
	x, err := strconv.ParseFloat(a, 64)
	if err != nil {
		return ""
	}
	y, err := strconv.ParseFloat(b, 64)
	if err != nil {
		return ""
	}
	return placement.Decimal(x + y)
}
