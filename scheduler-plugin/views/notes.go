package views

import (
	"sync"

	fwk "k8s.io/kube-scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/placement"
)

const notesKey fwk.StateKey = Prefix + "Notes"

// notes are the reasons of local nodes against one pod. The framework shows them only for a pod that fits nowhere; the
// record of a pod that went elsewhere needs them too.
type notes struct {
	mu      sync.Mutex
	reasons map[string]int
}

// Clone starts anew: what preemption asks in its what-if is nobody's reason.
func (n *notes) Clone() fwk.StateData { return &notes{reasons: map[string]int{}} }

// LocalRefusals says why local nodes did not take the pod of this cycle, counted: "2 Insufficient cpu".
func LocalRefusals(state fwk.CycleState) string {
	data, err := state.Read(notesKey)
	if err != nil {
		return ""
	}
	n := data.(*notes)
	n.mu.Lock()
	defer n.mu.Unlock()
	return placement.Count(n.reasons)
}

// startNotes is called by the first view of a cycle, while views still run one at a time.
func startNotes(state fwk.CycleState) {
	if _, err := state.Read(notesKey); err != nil {
		state.Write(notesKey, &notes{reasons: map[string]int{}})
	}
}

func note(state fwk.CycleState, status *fwk.Status) *fwk.Status {
	if !status.IsRejected() {
		return status
	}
	if data, err := state.Read(notesKey); err == nil {
		n := data.(*notes)
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, reason := range status.Reasons() {
			n.reasons[reason]++
		}
	}
	return status
}
