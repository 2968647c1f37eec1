package profile

import (
	"sort"
	"strings"

	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
	"github.com/spillway-dev/spillway/scheduler-plugin/views"
)

// byPlace tells why nothing fits, a place at a time: "cloud: 4 Insufficient cpu; local: 2 Insufficient cpu". Virtual nodes
// bring their target's name with their reason; local nodes are counted together, as Kubernetes does.
func byPlace(statuses *framework.NodeToStatus) string {
	var remote []string
	local := map[string]int{}
	statuses.ForEachExplicitNode(func(node string, status *fwk.Status) {
		target, virtual := strings.CutPrefix(node, v1alpha1.VirtualNodePrefix)
		if !virtual {
			for _, reason := range status.Reasons() {
				local[reason]++
			}
			return
		}
		reason := strings.Join(status.Reasons(), ", ")
		remote = append(remote, target+": "+strings.TrimPrefix(reason, target+": "))
	})
	sort.Strings(remote)
	if len(local) > 0 {
		remote = append(remote, placement.LocalName+": "+views.Count(local))
	}
	return strings.Join(remote, "; ")
}
