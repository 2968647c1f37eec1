package groups

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"
)

// Local is the place that all nodes of the source are together. Another place is a virtual node, by name.
const Local = "local"

// Member is a pod of a group that has neither ended nor is being deleted.
type Member struct {
	UID   types.UID
	Place string // "" until it is bound
}

// View is a group as one of its pods finds it.
type View struct {
	Key  Key
	Size int
	// Self is the pod whose cycle it is, one of Members.
	Self types.UID
	// Members from the oldest to the youngest.
	Members []Member
	// Attempt is the one that is under way or has just succeeded; nil without.
	Attempt *Attempt
}

// Role is what the pod does.
type Role int

// The roles of a pod in its group.
const (
	// Waits: for the group, or for an attempt to be over.
	Waits Role = iota
	// Follows a group that is already at a place, alone.
	Follows
	// Joins the attempt that holds a seat for it.
	Joins
	// Leads: it is the first to come, finds a place for all, and takes it.
	Leads
)

// Verdict is what a pod's cycle is to do.
type Verdict struct {
	Role   Role
	Reason string      // of one that waits
	Place  string      // of one that follows or joins
	Seats  []types.UID // of one that leads: who goes along, itself included
}

// Decide is pure. What is bound counts most, because it can never be undone.
func Decide(v View) Verdict {
	for _, m := range v.Members {
		if m.Place != "" {
			return Verdict{Role: Follows, Place: m.Place}
		}
	}
	if v.Attempt != nil {
		return v.Attempt.verdict(v.Self)
	}
	if len(v.Members) < v.Size {
		return wait(textIncomplete, v.Key, len(v.Members), v.Size)
	}
	seats := make([]types.UID, v.Size)
	for i := range seats {
		seats[i] = v.Members[i].UID
	}
	if !slices.Contains(seats, v.Self) {
		return wait(textBefore, v.Key)
	}
	return Verdict{Role: Leads, Seats: seats}
}

func wait(format string, args ...any) Verdict {
	return Verdict{Role: Waits, Reason: fmt.Sprintf(format, args...)}
}
