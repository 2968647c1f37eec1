package placement

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// Bounds of a Record: it is an annotation, and an object's annotations share 256 KiB.
const (
	maxRecordPlaces = 20
	maxNameBytes    = 253
	maxPolicyBytes  = 320 // namespace/name
	maxReasonBytes  = 300
	maxNumberBytes  = 32
)

// LocalName is the name of the one place that all local nodes are folded to in a Record.
const LocalName = "local"

// Record is one placement: where a pod went and what else was considered. It is the value of the annotation
// spillway.dev/placement, written by the binding and read to explain it.
type Record struct {
	Target  string                 `json:"target"` // empty is a local node
	Node    string                 `json:"node,omitempty"`
	Group   string                 `json:"group,omitempty"` // whose pods went there together
	Policy  string                 `json:"policy,omitempty"`
	Mode    v1alpha1.PlacementMode `json:"mode,omitempty"`
	At      metav1.Time            `json:"at"`
	Places  []RecordPlace          `json:"places,omitempty"`
	Omitted int                    `json:"omitted,omitempty"` // places that were considered and did not fit in here
}

// RecordPlace is one place that was considered. Numbers are decimals as text, empty where unknown.
type RecordPlace struct {
	Name         string       `json:"name"`
	Local        bool         `json:"local,omitempty"`
	Feasible     bool         `json:"feasible"`
	Growing      bool         `json:"growing,omitempty"` // it had no node for the pod, and was to make one
	Reason       string       `json:"reason,omitempty"`  // why it is not feasible
	CostPerHour  string       `json:"costPerHour,omitempty"`
	Currency     string       `json:"currency,omitempty"`
	GramsPerHour string       `json:"gramsPerHour,omitempty"`
	GramsPerKWh  string       `json:"gramsPerKWh,omitempty"`
	Scores       RecordScores `json:"scores,omitzero"`
	Tier         int          `json:"tier,omitempty"`
	// Sticky: it leads its tier because the pod's owner has its pods here, not because it is better.
	Sticky bool `json:"sticky,omitempty"`
}

// RecordScores is a Score for people.
type RecordScores struct {
	Cost     string `json:"cost"`
	Carbon   string `json:"carbon"`
	Capacity string `json:"capacity"`
	Total    int64  `json:"total"`
}

// Considered is the record of a place that could have the pod.
func Considered(place Place, score Score) RecordPlace {
	recorded := recordPlace(place)
	recorded.Feasible, recorded.Tier, recorded.Sticky = true, score.Tier, score.Sticky
	recorded.Growing = place.Growing
	recorded.Scores = RecordScores{
		Cost: Decimal(score.Cost), Carbon: Decimal(score.Carbon), Capacity: Decimal(score.Capacity), Total: score.Total,
	}
	return recorded
}

// Refused is the record of a place that could not.
func Refused(place Place, reason string) RecordPlace {
	recorded := recordPlace(place)
	recorded.Reason = reason
	return recorded
}

// Encode writes the record as compact JSON, bounded: at most 20 places, the winner first, then the best, then those that
// were refused; the rest is counted in Omitted, and long texts are cut. The record itself is left as it is.
func (r Record) Encode() (string, error) {
	r.Target, r.Node, r.Policy = cut(r.Target, maxNameBytes), cut(r.Node, maxNameBytes), cut(r.Policy, maxPolicyBytes)
	r.Group = cut(r.Group, maxNameBytes)
	r.Mode = v1alpha1.PlacementMode(cut(string(r.Mode), maxNumberBytes))
	places := slices.Clone(r.Places)
	slices.SortStableFunc(places, r.compare)
	kept := min(len(places), maxRecordPlaces)
	r.Places, r.Omitted = places[:kept], r.Omitted+len(places)-kept
	for i := range r.Places {
		r.Places[i] = r.Places[i].bounded()
	}
	encoded, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("encoding placement record: %w", err)
	}
	return string(encoded), nil
}

// Decode reads what Encode wrote. Unknown fields are ignored: a newer version may have written more.
func Decode(s string) (Record, error) {
	var r Record
	if err := json.Unmarshal([]byte(s), &r); err != nil {
		return Record{}, fmt.Errorf(badRecord, v1alpha1.AnnotationPlacement, err)
	}
	if len(r.Places) == 0 {
		return Record{}, fmt.Errorf(emptyRecord, v1alpha1.AnnotationPlacement)
	}
	return r, nil
}

func recordPlace(place Place) RecordPlace {
	return RecordPlace{
		Name:         place.Name,
		Local:        place.Local,
		CostPerHour:  decimal(place.Estimate.CostPerHour),
		Currency:     place.Estimate.Currency,
		GramsPerHour: decimal(place.Estimate.GramsPerHour),
		GramsPerKWh:  decimal(place.Estimate.GramsPerKWh),
	}
}

func (r Record) compare(a, b RecordPlace) int {
	return cmp.Or(
		first(r.won(a), r.won(b)),
		first(a.Feasible, b.Feasible),
		cmp.Compare(b.Scores.Total, a.Scores.Total),
		cmp.Compare(a.Name, b.Name),
	)
}

func (r Record) won(place RecordPlace) bool {
	if r.Target == "" {
		return place.Local
	}
	return !place.Local && place.Name == r.Target
}

func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

func (p RecordPlace) bounded() RecordPlace {
	p.Name, p.Reason = cut(p.Name, maxNameBytes), cut(p.Reason, maxReasonBytes)
	p.CostPerHour, p.Currency = cut(p.CostPerHour, maxNumberBytes), cut(p.Currency, maxNumberBytes)
	p.GramsPerHour, p.GramsPerKWh = cut(p.GramsPerHour, maxNumberBytes), cut(p.GramsPerKWh, maxNumberBytes)
	s := &p.Scores
	s.Cost, s.Carbon, s.Capacity = cut(s.Cost, maxNumberBytes), cut(s.Carbon, maxNumberBytes), cut(s.Capacity, maxNumberBytes)
	return p
}

// cut bounds a text to a number of bytes, between two characters, and says so with an ellipsis.
func cut(s string, limit int) string {
	const ellipsis = "…"
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= limit {
		return s
	}
	end := limit - len(ellipsis)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}
