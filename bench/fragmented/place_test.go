package fragmented

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
)

func TestWaysOfPlacing(t *testing.T) {
	node := func(target string, cores int64, fast bool) Node {
		return Node{Name: target, Target: target, Fast: fast, Free: Need{MilliCPU: cores * 1000, MiB: cores << 10}, Slots: 2}
	}
	pods := func(cores ...int64) []Pod {
		var all []Pod
		for _, c := range cores {
			all = append(all, Pod{Need: Need{MilliCPU: c * 1000, MiB: 1}})
		}
		return all
	}
	one, two := TargetName(0), TargetName(1)
	tests := map[string]struct {
		world    World
		firstFit Outcome
		bySums   Outcome
	}{
		"a pod that fits a node is placed by both": {
			World{Nodes: []Node{node(one, 4, false)}, Pods: pods(4)}, Outcome{Placed: 1}, Outcome{Placed: 1}},
		"two halves are not a whole, but their sum is": {
			World{Nodes: []Node{node(one, 4, false), node(one, 4, false)}, Pods: pods(8)}, Outcome{Waiting: 1}, Outcome{Stuck: 1}},
		"a stuck pod takes the room that is counted, though none that is there": {
			World{Nodes: []Node{node(one, 4, false), node(one, 4, false)}, Pods: pods(8, 4)},
			Outcome{Placed: 1, Waiting: 1}, Outcome{Stuck: 1, Waiting: 1}},
		"a pod goes to pieces although another target has a whole node": {
			World{Nodes: []Node{node(one, 6, false), node(one, 6, false), node(two, 8, false)}, Pods: pods(8)},
			Outcome{Placed: 1}, Outcome{Stuck: 1}},
		"of two targets the one with the larger share left is taken": {
			World{Nodes: []Node{node(one, 8, false), node(two, 16, false)}, Pods: pods(4, 16)}, Outcome{Placed: 2}, Outcome{Placed: 1, Waiting: 1}},
		"sums know nothing of labels": {
			World{Nodes: []Node{node(one, 8, false), node(two, 4, true)}, Pods: []Pod{{Need: Need{MilliCPU: 1000}, Fast: true}}},
			Outcome{Placed: 1}, Outcome{Stuck: 1}},
		"a node runs no more pods than it has slots for": {
			World{Nodes: []Node{node(one, 8, false)}, Pods: pods(1, 1, 1)}, Outcome{Placed: 2, Waiting: 1}, Outcome{Placed: 2, Stuck: 1}},
		"what no sum covers waits": {
			World{Nodes: []Node{node(one, 4, false)}, Pods: pods(5)}, Outcome{Waiting: 1}, Outcome{Waiting: 1}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			before := cmp.Diff(World{}, tt.world)
			assert.Empty(t, cmp.Diff(tt.firstFit, tt.world.FirstFit()))
			assert.Empty(t, cmp.Diff(tt.bySums, tt.world.BySums()))
			assert.Equal(t, before, cmp.Diff(World{}, tt.world), "the world stays as it was")
		})
	}
}
