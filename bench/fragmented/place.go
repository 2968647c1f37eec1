package fragmented

import (
	"math"
	"slices"
)

// Outcome is what became of a world's pods.
type Outcome struct {
	// Placed pods have room on a node.
	Placed int `json:"placed"`
	// Stuck pods were given to a target of which no node has room for them: there they are Pending.
	Stuck int `json:"stuck"`
	// Waiting pods were given to no target.
	Waiting int `json:"waiting"`
}

// FirstFit gives each pod, in order, to the first of all nodes that takes it, as one who sees every node could.
func (w World) FirstFit() Outcome {
	nodes := slices.Clone(w.Nodes)
	var o Outcome
	for _, pod := range w.Pods {
		o.count(false, place(nodes, pod))
	}
	return o
}

// BySums gives each pod, in order, to the target with the most room left in sum, if that covers the pod: what is seen of a
// target whose nodes are added up to one. There it takes the first node that has room, or stays Pending: nobody takes it
// back, and what it asks for counts as taken.
func (w World) BySums() Outcome {
	nodes := slices.Clone(w.Nodes)
	byTarget := map[string][]Node{}
	for _, node := range nodes {
		byTarget[node.Target] = append(byTarget[node.Target], node)
	}
	room, has := sums(w.Nodes), map[string]Need{}
	for target, left := range room {
		has[target] = left
	}
	var o Outcome
	for _, pod := range w.Pods {
		target := roomiest(room, has, pod.Need)
		if target == "" {
			o.count(false, false)
			continue
		}
		room[target] = room[target].minus(pod.Need)
		o.count(true, place(byTarget[target], pod))
	}
	return o
}

func (o *Outcome) count(given, placed bool) {
	switch {
	case placed:
		o.Placed++
	case given:
		o.Stuck++
	default:
		o.Waiting++
	}
}

// place puts the pod on the first node that takes it.
func place(nodes []Node, pod Pod) bool {
	for i := range nodes {
		if nodes[i].Takes(pod) {
			nodes[i].take(pod.Need)
			return true
		}
	}
	return false
}

func sums(nodes []Node) map[string]Need {
	room := map[string]Need{}
	for _, node := range nodes {
		room[node.Target] = room[node.Target].plus(node.Free)
	}
	return room
}

// roomiest is the target with the largest share of its room left after the pod, of the scarcest resource that it asks for;
// "" when no target's sum covers it.
func roomiest(room, has map[string]Need, need Need) string {
	best, most := "", math.Inf(-1)
	for i := range Targets {
		target := TargetName(i)
		if share := room[target].shareLeft(has[target], need); share >= 0 && share > most {
			best, most = target, share
		}
	}
	return best
}

func (n Need) shareLeft(of, need Need) float64 {
	share := min(float64(n.MilliCPU-need.MilliCPU)/float64(of.MilliCPU), float64(n.MiB-need.MiB)/float64(of.MiB))
	if need.GPUs > 0 {
		share = min(share, float64(n.GPUs-need.GPUs)/float64(of.GPUs))
	}
	return share
}
