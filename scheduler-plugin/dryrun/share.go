package dryrun

import (
	corev1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"
	fwk "k8s.io/kube-scheduler/framework"
)

// need is what a pod asks for, in the units of the scheduler's cache: millicores, bytes, pieces.
type need struct {
	milliCPU, memory, ephemeral int64
	scalars                     []scalar
}

type scalar struct {
	name   corev1.ResourceName
	pieces int64
}

func needOf(pod *corev1.Pod) need {
	requests := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
	n := need{milliCPU: requests.Cpu().MilliValue(), memory: requests.Memory().Value(), ephemeral: requests.StorageEphemeral().Value()}
	for name, q := range requests {
		if name != corev1.ResourceCPU && name != corev1.ResourceMemory && name != corev1.ResourceEphemeralStorage {
			n.scalars = append(n.scalars, scalar{name, q.Value()})
		}
	}
	return n
}

// shareLeft is the share of one node's room that would be left after the pod, of the scarcest resource among CPU, memory
// and what else the pod asks for; from 0 to 1.
func (n need) shareLeft(node fwk.NodeInfo) float64 {
	has, used := node.GetAllocatable(), node.GetRequested()
	share := min(left(has.GetMilliCPU(), used.GetMilliCPU()+n.milliCPU), left(has.GetMemory(), used.GetMemory()+n.memory))
	for _, s := range n.scalars {
		share = min(share, left(has.GetScalarResources()[s.name], used.GetScalarResources()[s.name]+s.pieces))
	}
	return share
}

// tally is the same of several nodes together.
type tally struct {
	need                             need
	cpu, cpuUsed, memory, memoryUsed int64
	has, used                        []int64 // parallel to need.scalars
}

func newTally(n need) *tally {
	return &tally{need: n, has: make([]int64, len(n.scalars)), used: make([]int64, len(n.scalars))}
}

func (t *tally) add(node fwk.NodeInfo) {
	has, used := node.GetAllocatable(), node.GetRequested()
	t.cpu, t.cpuUsed = t.cpu+has.GetMilliCPU(), t.cpuUsed+used.GetMilliCPU()
	t.memory, t.memoryUsed = t.memory+has.GetMemory(), t.memoryUsed+used.GetMemory()
	for i, s := range t.need.scalars {
		t.has[i] += has.GetScalarResources()[s.name]
		t.used[i] += used.GetScalarResources()[s.name]
	}
}

func (t *tally) shareLeft() float64 {
	share := min(left(t.cpu, t.cpuUsed+t.need.milliCPU), left(t.memory, t.memoryUsed+t.need.memory))
	for i, s := range t.need.scalars {
		share = min(share, left(t.has[i], t.used[i]+s.pieces))
	}
	return share
}

func left(has, used int64) float64 {
	if has <= 0 || used >= has {
		return 0
	}
	return float64(has-used) / float64(has)
}
