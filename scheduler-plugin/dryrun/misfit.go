package dryrun

import (
	"errors"

	fwk "k8s.io/kube-scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/placement"
)

// Misfit says why no node of a target takes a pod, in the words of Kubernetes' scheduler: "4 Insufficient cpu".
type Misfit struct {
	reasons  map[string]int
	growable bool
}

func (m *Misfit) Error() string {
	return placement.Count(m.reasons)
}

// Growable tells whether one more node like one that is there would take the pod: what keeps it off that one is what runs
// there.
func Growable(err error) bool {
	var m *Misfit
	return errors.As(err, &m) && m.growable
}

// IsMisfit tells whether err is a *Misfit: an answer, not a failure.
func IsMisfit(err error) bool {
	var m *Misfit
	return errors.As(err, &m)
}

func (m *Misfit) add(reason string, n int) {
	if m.reasons == nil {
		m.reasons = map[string]int{}
	}
	m.reasons[reason] += n
}

func (m *Misfit) count(status *fwk.Status, n int) {
	for _, reason := range status.Reasons() {
		m.add(reason, n)
	}
}

// orEmpty gives a reason where there was no node to give one.
func (m *Misfit) orEmpty() *Misfit {
	if len(m.reasons) == 0 {
		return &Misfit{reasons: map[string]int{"nodes: the target has none that take pods": 0}}
	}
	return m
}
