package usage

import (
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	stats "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
)

// tally is a virtual node's processor time: that of its pods, added up as it grows, because the sum of those that are there
// falls when one of them ends, and a counter must not.
type tally struct {
	total uint64
	seen  map[types.UID]uint64 // by source pod, at the last look
}

// add returns the node's figures: what its pods use, of those that are known.
func (t *tally) add(pods []Pod, figures []stats.PodStats) stats.NodeStats {
	if t.seen == nil {
		t.seen = map[types.UID]uint64{}
	}
	there := uids(pods)
	maps.DeleteFunc(t.seen, func(uid types.UID, _ uint64) bool { return !there.Has(uid) })
	var cpu stats.CPUStats
	var memory stats.MemoryStats
	var rate, workingSet uint64
	for _, pod := range figures {
		if used := cpuOf(pod); used.UsageCoreNanoSeconds != nil {
			t.grow(types.UID(pod.PodRef.UID), *used.UsageCoreNanoSeconds)
			rate += value(used.UsageNanoCores)
			cpu.Time = later(cpu.Time, used.Time)
		}
		if used := memoryOf(pod); used.WorkingSetBytes != nil {
			workingSet += *used.WorkingSetBytes
			memory.Time = later(memory.Time, used.Time)
		}
	}
	node := stats.NodeStats{}
	if !cpu.Time.IsZero() {
		total := t.total
		cpu.UsageCoreNanoSeconds, cpu.UsageNanoCores = &total, &rate
		node.CPU = &cpu
	}
	if !memory.Time.IsZero() {
		memory.WorkingSetBytes = &workingSet
		node.Memory = &memory
	}
	return node
}

// grow takes a smaller figure for one that began anew, as it does with a container.
func (t *tally) grow(pod types.UID, now uint64) {
	if before := t.seen[pod]; now >= before {
		t.total += now - before
	} else {
		t.total += now
	}
	t.seen[pod] = now
}

// cpuOf is the pod's own figure, or that of its containers.
func cpuOf(pod stats.PodStats) stats.CPUStats {
	if pod.CPU != nil {
		return *pod.CPU
	}
	var sum stats.CPUStats
	for _, c := range pod.Containers {
		if c.CPU != nil && c.CPU.UsageCoreNanoSeconds != nil {
			total, rate := value(sum.UsageCoreNanoSeconds)+*c.CPU.UsageCoreNanoSeconds, value(sum.UsageNanoCores)+value(c.CPU.UsageNanoCores)
			sum = stats.CPUStats{Time: later(sum.Time, c.CPU.Time), UsageCoreNanoSeconds: &total, UsageNanoCores: &rate}
		}
	}
	return sum
}

func memoryOf(pod stats.PodStats) stats.MemoryStats {
	if pod.Memory != nil {
		return *pod.Memory
	}
	var sum stats.MemoryStats
	for _, c := range pod.Containers {
		if c.Memory != nil && c.Memory.WorkingSetBytes != nil {
			total := value(sum.WorkingSetBytes) + *c.Memory.WorkingSetBytes
			sum = stats.MemoryStats{Time: later(sum.Time, c.Memory.Time), WorkingSetBytes: &total}
		}
	}
	return sum
}

func value(of *uint64) uint64 {
	if of == nil {
		return 0
	}
	return *of
}

func later(a, b metav1.Time) metav1.Time {
	if a.Before(&b) {
		return b
	}
	return a
}
