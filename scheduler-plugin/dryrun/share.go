package dryrun

import (
	corev1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"
	fwk "k8s.io/kube-scheduler/framework"
)

// need is what a pod asks for, in the units of the scheduler's cache: millicores, bytes, pieces.
type need struct {
	milliCPU, memory int64
	scalar           map[corev1.ResourceName]int64
}

func needOf(pod *corev1.Pod) need {
	requests := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
	n := need{milliCPU: requests.Cpu().MilliValue(), memory: requests.Memory().Value(), scalar: map[corev1.ResourceName]int64{}}
	for name, q := range requests {
		if name != corev1.ResourceCPU && name != corev1.ResourceMemory && name != corev1.ResourceEphemeralStorage {
			n.scalar[name] = q.Value()
		}
	}
	return n
}

// shareLeft is the share of the nodes' room that would be left after the pod, of the scarcest resource among CPU, memory
// and what else the pod asks for; from 0 to 1.
func (n need) shareLeft(nodes ...fwk.NodeInfo) float64 {
	var cpu, cpuUsed, memory, memoryUsed int64
	scalar, scalarUsed := map[corev1.ResourceName]int64{}, map[corev1.ResourceName]int64{}
	for _, node := range nodes {
		has, used := node.GetAllocatable(), node.GetRequested()
		cpu, cpuUsed = cpu+has.GetMilliCPU(), cpuUsed+used.GetMilliCPU()
		memory, memoryUsed = memory+has.GetMemory(), memoryUsed+used.GetMemory()
		for name := range n.scalar {
			scalar[name] += has.GetScalarResources()[name]
			scalarUsed[name] += used.GetScalarResources()[name]
		}
	}
	share := min(left(cpu, cpuUsed+n.milliCPU), left(memory, memoryUsed+n.memory))
	for name, asked := range n.scalar {
		share = min(share, left(scalar[name], scalarUsed[name]+asked))
	}
	return share
}

func left(has, used int64) float64 {
	if has <= 0 || used >= has {
		return 0
	}
	return float64(has-used) / float64(has)
}
