package schedulerplugin

import (
	"errors"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/placement"
	"github.com/spillway-dev/spillway/pkg/target"
)

const cycleKey fwk.StateKey = Name

// cycle is what one pod's scheduling cycle finds out, from PreFilter to Bind.
type cycle struct {
	policy   *placement.Policy
	shape    shape
	request  placement.Request
	fence    string             // the only virtual node that the pod may go to, because its delegate is there; "" when free
	existing *corev1.Pod        // the delegate there, if it has been seen already
	local    placement.Estimate // of the source's own nodes
	growths  int64              // of the targets' room, when the cycle began
	remote   string             // why the pod may not leave the source at all; "" when it may
	group    *grouped           // nil for a pod that is in none

	localOnly string               // why it may not burst in this cycle; "" when it may
	homes     map[string]time.Time // when its owner last had a pod put at each place, by the place's name

	mu     sync.Mutex
	places map[string]*place // by node name
	totals map[string]int64  // by node name, after scoring

	localRefusals string // of an identical pod, where batching did not ask the local nodes

	sent       *target.Target // where the pod was sent, once anything was
	created    *corev1.Pod    // the delegate, once it exists
	mayBeBound bool           // the answer to the binding was lost
}

// place is one node in one cycle.
type place struct {
	placement.Place
	reason   string      // why not; "" when feasible
	node     string      // the target's node of the dry run
	delegate *corev1.Pod // as it will be, from Reserve on
}

// Clone is for preemption's what-if, which only asks about local nodes: they leave no trace in a clone.
func (c *cycle) Clone() fwk.StateData {
	return &cycle{policy: c.policy, shape: c.shape, request: c.request, fence: c.fence, existing: c.existing, local: c.local, growths: c.growths, remote: c.remote, localOnly: c.localOnly, group: c.group, places: map[string]*place{}}
}

func cycleOf(state fwk.CycleState) (*cycle, error) {
	data, err := state.Read(cycleKey)
	if err != nil {
		return nil, errors.New("PreFilter has not run for this pod")
	}
	return data.(*cycle), nil
}

func (c *cycle) set(node string, p *place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.places[node] = p
}

func (c *cycle) get(node string) *place {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.places[node]
}

// all places, by node name.
func (c *cycle) all() map[string]*place {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.places)
}

// rank scores places together, in the light of where the pod's owner is.
func (c *cycle) rank(places []placement.Place) []placement.Score {
	for i := range places {
		places[i].LastPlaced = c.homes[places[i].Name]
	}
	return c.policy.Rank(places)
}

// record is the placement as it is kept: the local nodes folded to one place, the winner's node named, and, where no
// local node took the pod, their reasons.
func (c *cycle) record(winner, localRefusals string, now metav1.Time) placement.Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	record := placement.Record{Node: winner, Group: c.groupName(), Policy: c.policy.Name, Mode: c.policy.Mode, At: now}
	var feasible []placement.Place
	var nodes []string
	localReason, local := c.whyNotLocal(localRefusals), -1
	for node, p := range c.places {
		switch {
		case p.reason == "" && p.Local:
			if local < 0 {
				local = len(feasible)
				feasible, nodes = append(feasible, p.Place), append(nodes, node)
			}
			if node == winner {
				feasible[local], nodes[local] = p.Place, node
			}
		case p.reason == "":
			feasible, nodes = append(feasible, p.Place), append(nodes, node)
		case p.Local && localReason == "":
			localReason = p.reason
		case p.Local:
		default:
			record.Places = append(record.Places, placement.Refused(p.Place, p.reason))
		}
	}
	if local < 0 && localReason != "" {
		record.Places = append(record.Places, placement.Refused(placement.Place{Name: placement.LocalName, Local: true, Estimate: c.local}, localReason))
	}
	for i, score := range c.rank(feasible) {
		if nodes[i] == winner && !feasible[i].Local {
			record.Target = feasible[i].Name
		}
		record.Places = append(record.Places, placement.Considered(feasible[i], score))
	}
	return record
}
