// Package fragmented makes up a fleet whose room is in pieces, and says what two ways of placing pods would make of it.
// What enters is a seed; what leaves is a World (nodes, what fills them, pods to place), the pods that an omniscient
// first-fit over all nodes would place, and those that placing by a target's sums would. It is pure: the same seed is the
// same world, on any machine.
package fragmented

import (
	"fmt"
	"math/rand/v2"
)

// The fleet of every world.
const (
	Targets = 5
	// filled is the share of all CPUs that is taken before the first pod comes.
	filled = 0.7
	// PodsOfNode is how many pods a node may run: a kubelet's own default.
	PodsOfNode = 110
)

// Need is what a pod asks for, or what a node has: millicores, MiB, pieces.
type Need struct{ MilliCPU, MiB, GPUs int64 }

// Kind is a number of equal nodes that every target has.
type Kind struct {
	Count int
	Need
	// Fast nodes have the label that some pods select.
	Fast bool
}

// Kinds are the nodes of one target, in the order of their numbers.
var Kinds = []Kind{
	{Count: 14, Need: Need{MilliCPU: 8_000, MiB: 32 << 10}},
	{Count: 12, Need: Need{MilliCPU: 16_000, MiB: 64 << 10}, Fast: true},
	{Count: 8, Need: Need{MilliCPU: 32_000, MiB: 128 << 10}},
	{Count: 3, Need: Need{MilliCPU: 8_000, MiB: 64 << 10}, Fast: true},
	{Count: 3, Need: Need{MilliCPU: 32_000, MiB: 128 << 10, GPUs: 4}},
}

// Node is one node of one target, with the room that is left on it.
type Node struct {
	Name   string
	Target string
	Fast   bool
	Free   Need
	Slots  int // pods that it may run beside those that fill it
}

// Pod is one to place. Fast ones only go to fast nodes.
type Pod struct {
	Name string
	Need
	Fast bool
}

// Filler takes room on a node from the beginning.
type Filler struct {
	Node, Target string
	Need
}

// World is a fleet, what fills it, and the pods to place in their order.
type World struct {
	Nodes   []Node
	Fillers []Filler
	Pods    []Pod
}

// TargetName is the name of the i-th target, from 0.
func TargetName(i int) string { return fmt.Sprintf("part-%d", i+1) }

// New makes the world of a seed, with so many pods to place.
func New(seed uint64, pods int) World {
	random := rand.New(rand.NewPCG(seed, seed))
	w := World{Nodes: nodes()}
	w.fill(random)
	for i := range pods {
		w.Pods = append(w.Pods, newPod(random, fmt.Sprintf("piece-%05d", i)))
	}
	return w
}

func nodes() []Node {
	var all []Node
	for i := range Targets {
		number := 0
		for _, kind := range Kinds {
			for range kind.Count {
				number++
				all = append(all, Node{Name: fmt.Sprintf("%s-%d", TargetName(i), number), Target: TargetName(i),
					Fast: kind.Fast, Free: kind.Need, Slots: PodsOfNode})
			}
		}
	}
	return all
}

// fill puts pods of random shapes on random nodes.
func (w *World) fill(random *rand.Rand) {
	var all, used int64
	for _, node := range w.Nodes {
		all += node.Free.MilliCPU
	}
	for float64(used) < filled*float64(all) {
		node := &w.Nodes[random.IntN(len(w.Nodes))]
		need := one(random, fillers)
		if !node.Takes(Pod{Need: need}) {
			continue
		}
		node.take(need)
		used += need.MilliCPU
		w.Fillers = append(w.Fillers, Filler{Node: node.Name, Target: node.Target, Need: need})
	}
}

// Takes tells whether a pod fits on what is left of the node.
func (n *Node) Takes(p Pod) bool {
	return n.Slots > 0 && (n.Fast || !p.Fast) &&
		p.MilliCPU <= n.Free.MilliCPU && p.MiB <= n.Free.MiB && p.GPUs <= n.Free.GPUs
}

func (n *Node) take(need Need) {
	n.Free = n.Free.minus(need)
	n.Slots--
}

func (n Need) minus(other Need) Need {
	return Need{n.MilliCPU - other.MilliCPU, n.MiB - other.MiB, n.GPUs - other.GPUs}
}

func (n Need) plus(other Need) Need {
	return Need{n.MilliCPU + other.MilliCPU, n.MiB + other.MiB, n.GPUs + other.GPUs}
}
