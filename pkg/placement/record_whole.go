package placement

import (
	"cmp"
	"slices"
)

// Whole is the record with every place, for an object of its own instead of an annotation: the winner first, then the
// best, then those that were refused, the local nodes last. A record without a node has no winner.
func (r Record) Whole() Record {
	r.Places = slices.Clone(r.Places)
	slices.SortStableFunc(r.Places, func(a, b RecordPlace) int {
		if !a.Feasible && !b.Feasible {
			return cmp.Or(first(b.Local, a.Local), cmp.Compare(a.Name, b.Name))
		}
		return r.compare(a, b)
	})
	for i := range r.Places {
		r.Places[i] = r.Places[i].bounded()
	}
	return r
}

// Cut bounds a text to a number of bytes, as those of a Record are, between two characters and with an ellipsis.
func Cut(text string, limit int) string { return cut(text, limit) }
