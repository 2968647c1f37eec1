package signal

import (
	"errors"
	"fmt"
)

// The signals, as errors call them.
const (
	Price  = "price"
	Carbon = "carbon"
)

// Reason says, as a condition's reason, why a signal is unknown. It is an error so that errors.Is finds it in a join.
type Reason string

// The reasons of an Error.
const (
	ReasonStale     Reason = "SignalStale"
	ReasonMissing   Reason = "SignalMissing"
	ReasonMalformed Reason = "SignalMalformed"
)

// Error makes a reason something to look for with errors.Is.
func (r Reason) Error() string { return string(r) }

// Error is a signal that a feed should have and does not give: it counts as unknown until somebody follows the remedy.
type Error struct {
	Signal  string // Price or Carbon
	Source  string // where it was looked for
	Reason  Reason
	Problem string
	Remedy  string
}

// Error says which signal, where, why, and what to do.
func (e *Error) Error() string {
	return fmt.Sprintf("%s is unknown: %s %s: %s", e.Signal, e.Source, e.Problem, e.Remedy)
}

// Is makes errors.Is find the reason.
func (e *Error) Is(target error) bool { return target == e.Reason }

// IsStale says whether a signal is unknown because its validUntil has passed.
func IsStale(err error) bool { return errors.Is(err, ReasonStale) }

// IsMissing says whether a signal is unknown because the object or key that should hold it is not there.
func IsMissing(err error) bool { return errors.Is(err, ReasonMissing) }

// IsMalformed says whether a signal is unknown because what is there cannot be read as one.
func IsMalformed(err error) bool { return errors.Is(err, ReasonMalformed) }
