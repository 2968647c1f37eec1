package profile

import (
	"slices"
	"strings"

	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

// byPlace tells why nothing fits, a place at a time: "cloud, heata: 4 Insufficient cpu; local: 2 Insufficient cpu". Virtual
// nodes bring their target's name with their reason; local nodes are counted together, as Kubernetes does.
func byPlace(statuses *framework.NodeToStatus) string {
	targets := map[string][]string{} // by reason
	local := map[string]int{}
	statuses.ForEachExplicitNode(func(node string, status *fwk.Status) {
		target, virtual := strings.CutPrefix(node, v1alpha1.VirtualNodePrefix)
		if !virtual {
			for _, reason := range status.Reasons() {
				local[reason]++
			}
			return
		}
		reason := strings.TrimPrefix(strings.Join(status.Reasons(), ", "), target+": ")
		targets[reason] = append(targets[reason], target)
	})
	places := make([]string, 0, len(targets)+1)
	for reason, names := range targets {
		slices.Sort(names)
		places = append(places, strings.Join(names, ", ")+": "+reason)
	}
	slices.Sort(places)
	if len(local) > 0 {
		places = append(places, placement.LocalName+": "+placement.Count(local))
	}
	return strings.Join(places, "; ")
}
