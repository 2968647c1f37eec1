package schedulerplugin

import (
	"context"
	"errors"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// answer is a target's refusal in its own words, or ours about it, with what ends it.
type answer struct {
	kind refusalKind
	own  bool // about this pod alone, not about all of its shape
	err  error
}

func (a *answer) Error() string { return a.err.Error() }

func (a *answer) Unwrap() error { return a.err }

// noRoom is a target without room for such a pod.
func noRoom(err error) error { return &answer{kind: forRoom, err: err} }

// ofThisPod is a refusal that says nothing about other pods like this one.
func ofThisPod(err error) error { return &answer{kind: byRule, own: true, err: err} }

// errRemembered ends the attempt of a pod whose shape was refused while it stood in line: there is nothing new to remember.
type errRemembered struct{ reason string }

func (e *errRemembered) Error() string { return e.reason }

// answerOf sorts what went wrong between asking a target and its yes.
func answerOf(err error) *answer {
	var known *answer
	switch {
	case errors.As(err, &known):
		return &answer{kind: known.kind, own: known.own, err: err}
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota"): // so the quota admission says it
		return &answer{kind: forRoom, err: err}
	}
	return &answer{kind: byRule, err: err}
}

// worthRemembering leaves out what is no answer at all: the process ends, or another pod has been answered meanwhile.
func worthRemembering(err error) bool {
	var remembered *errRemembered
	return !errors.As(err, &remembered) && !errors.Is(err, context.Canceled)
}
