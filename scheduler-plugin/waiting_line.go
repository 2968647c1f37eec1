package schedulerplugin

import (
	"container/list"

	corev1 "k8s.io/api/core/v1"
)

// refusers are the targets that refused a pod; true: for want of room.
type refusers map[string]bool

// line is the pods of one shape that sleep, in the order in which they are to be woken.
type line struct {
	shape    shape
	priority int32
	company  bool       // whether the shape wants to be near others
	pods     *list.List // of *waiter
	members  int        // pods that sleep or are awake
	refusers refusers   // of the pod that was tried last
	calls    int        // pods to be woken
}

type waiter struct {
	pod  *corev1.Pod
	line *line
	at   *list.Element // nil while awake
}

func (l *line) concerned(told map[string]news) bool {
	if _, any := l.refusers[anyTarget]; any || told[anyTarget] != 0 {
		return true
	}
	for target, what := range told {
		forRoom, refused := l.refusers[target]
		if refused && (what&changed != 0 || forRoom && what&(grew|freed) != 0 || l.company && what&joined != 0) {
			return true
		}
	}
	return false
}

func older(a, b *corev1.Pod) bool { return a.CreationTimestamp.Before(&b.CreationTimestamp) }

// wantsCompany tells that where a pod may run depends on the pods that run already.
func wantsCompany(pod *corev1.Pod) bool {
	affinity := pod.Spec.Affinity
	return len(pod.Spec.TopologySpreadConstraints) > 0 || affinity != nil && affinity.PodAffinity != nil
}
