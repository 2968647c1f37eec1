package usage

import (
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	stats "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
)

// counter makes the counters that a kubelet has out of the rates that a metrics API tells: each rate counts for the time
// since the sample before it.
type counter struct{ containers map[containerKey]counted }

type containerKey struct {
	pod  types.UID // the source's
	name string
}

// counted is what one run of a container has used; the next one counts anew, as a kubelet's figures do.
type counted struct {
	started time.Time
	used    float64 // core nanoseconds
	at      time.Time
}

// first is where counting begins: a container has always used some, and a metrics-server drops the figures of a pod that
// has used nothing.
const first = float64(time.Millisecond)

// add is called with each answer; a sample that came before counts once.
func (c *counter) add(pods []Pod, samples []sample) []stats.PodStats {
	if c.containers == nil {
		c.containers = map[containerKey]counted{}
	}
	there := uids(pods)
	maps.DeleteFunc(c.containers, func(key containerKey, _ counted) bool { return !there.Has(key.pod) })
	byName := map[types.NamespacedName]sample{}
	for _, s := range samples {
		byName[types.NamespacedName{Namespace: s.Namespace, Name: s.Name}] = s
	}
	var found []stats.PodStats
	for _, pod := range pods {
		if s, ok := byName[types.NamespacedName{Namespace: pod.Delegate.Namespace, Name: pod.Delegate.Name}]; ok {
			found = append(found, c.pod(pod, s))
		}
	}
	return found
}

func (c *counter) pod(pod Pod, s sample) stats.PodStats {
	figure := stats.PodStats{PodRef: reference(pod.Source), Containers: []stats.ContainerStats{}}
	if pod.Delegate.Status.StartTime != nil {
		figure.StartTime = *pod.Delegate.Status.StartTime
	}
	names := containerNames(pod.Source)
	for _, container := range s.Containers {
		if names.Has(container.Name) {
			names.Delete(container.Name)
			started := startOf(pod.Delegate, container.Name)
			now := c.count(containerKey{pod.Source.UID, container.Name}, started, s, container.Usage)
			figure.Containers = append(figure.Containers, now.stats(container))
		}
	}
	cpu, memory := cpuOf(figure), memoryOf(figure)
	figure.CPU, figure.Memory = &cpu, &memory
	return figure
}

func (c *counter) count(key containerKey, started time.Time, s sample, usage corev1.ResourceList) counted {
	now, known := c.containers[key]
	span := s.Timestamp.Sub(now.at)
	if !known || !now.started.Equal(started) {
		now, span = counted{started: started, used: first}, s.Window.Duration
	}
	if span > 0 {
		now.used += rateOf(usage) * span.Seconds()
		now.at = s.Timestamp.Time
	}
	c.containers[key] = now
	return now
}

func (now counted) stats(of containerSample) stats.ContainerStats {
	total, rate, workingSet := uint64(now.used), uint64(rateOf(of.Usage)), uint64(max(0, of.Usage.Memory().Value()))
	at := metav1.NewTime(now.at)
	return stats.ContainerStats{
		Name: of.Name, StartTime: metav1.NewTime(now.started),
		CPU:    &stats.CPUStats{Time: at, UsageCoreNanoSeconds: &total, UsageNanoCores: &rate},
		Memory: &stats.MemoryStats{Time: at, WorkingSetBytes: &workingSet},
	}
}

// rateOf is in core nanoseconds a second.
func rateOf(usage corev1.ResourceList) float64 { return float64(max(0, usage.Cpu().ScaledValue(-9))) }

// startOf is when the container's run began; zero when it does not run.
func startOf(delegate *corev1.Pod, container string) time.Time {
	for _, list := range [][]corev1.ContainerStatus{delegate.Status.ContainerStatuses, delegate.Status.InitContainerStatuses,
		delegate.Status.EphemeralContainerStatuses} {
		for _, status := range list {
			if status.Name == container && status.State.Running != nil {
				return status.State.Running.StartedAt.Time
			}
		}
	}
	return time.Time{}
}
