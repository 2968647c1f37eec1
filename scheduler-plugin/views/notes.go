package views

import (
	"maps"
	"sync"

	fwk "k8s.io/kube-scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/placement"
)

const notesKey fwk.StateKey = Prefix + "Notes"

// notes are the reasons of local nodes against one pod. The framework shows them only for a pod that fits nowhere; the
// record of a pod that went elsewhere needs them too.
type notes struct {
	mu     sync.Mutex
	byNode map[string][]string
}

// Clone starts anew: what preemption asks in its what-if is nobody's reason.
func (n *notes) Clone() fwk.StateData { return &notes{byNode: map[string][]string{}} }

// LocalRefusals are the reasons of the local nodes that did not take the pod of this cycle, by the node's name.
func LocalRefusals(state fwk.CycleState) map[string][]string {
	data, err := state.Read(notesKey)
	if err != nil {
		return nil
	}
	n := data.(*notes)
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.byNode)
}

// CountRefusals says them, counted: "2 Insufficient cpu".
func CountRefusals(byNode map[string][]string) string {
	reasons := map[string]int{}
	for _, said := range byNode {
		for _, reason := range said {
			reasons[reason]++
		}
	}
	return placement.Count(reasons)
}

// startNotes is called by the first view of a cycle, while views still run one at a time.
func startNotes(state fwk.CycleState) {
	if _, err := state.Read(notesKey); err != nil {
		state.Write(notesKey, &notes{byNode: map[string][]string{}})
	}
}

func note(state fwk.CycleState, node string, status *fwk.Status) *fwk.Status {
	if !status.IsRejected() {
		return status
	}
	if data, err := state.Read(notesKey); err == nil {
		n := data.(*notes)
		n.mu.Lock()
		defer n.mu.Unlock()
		n.byNode[node] = append(n.byNode[node], status.Reasons()...)
	}
	return status
}
