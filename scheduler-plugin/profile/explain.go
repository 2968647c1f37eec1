package profile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
	schedulerplugin "github.com/spillway-dev/spillway/scheduler-plugin"
)

const (
	nothingFits = "0/%d places fit: %s"
	andMore     = "%s and %d more"
	moreReasons = "and %d more places, each with another reason"

	// maxText leaves room for preemption's words in an event's 1,024 bytes, so that the event and the condition agree.
	maxText = 900
	// maxNamed targets of one reason are named, and the others counted: a hundred names say less than three.
	maxNamed = 4
)

// refusal is a reason and the targets that gave it, by name.
type refusal struct {
	reason  string
	targets []string
}

// explain tells why nothing fits as Kubernetes would, place by place: "0/3 places fit: cloud, heata: 4 Insufficient cpu;
// local: 2 Insufficient cpu". The local nodes are one place, and a target is one, whether it has been looked at or not.
func explain(fit *framework.FitError, targets int) string {
	places := targets
	if fit.NumAllNodes > targets {
		places++
	}
	if fit.Diagnosis.PreFilterMsg != "" { // the pod itself was refused, wherever it would go
		return fmt.Sprintf(nothingFits, places, fit.Diagnosis.PreFilterMsg)
	}
	text := fmt.Sprintf(nothingFits, places, byPlace(fit.Diagnosis.NodeToStatus))
	if after := afterwards(fit.Diagnosis.PostFilterMsg); after != "" {
		text += ". " + after
	}
	return text
}

// afterwards keeps what preemption says of the pod; what it counts over nodes repeats the reasons.
func afterwards(text string) string {
	if strings.Contains(text, "not eligible") {
		return text
	}
	return ""
}

// byPlace joins the reasons. Virtual nodes bring their target's name with their reason; local nodes are counted together.
func byPlace(statuses *framework.NodeToStatus) string {
	reasons := map[string]*refusal{}
	local := map[string]int{}
	locally := "" // our own plugin's reason is that of all local nodes together
	statuses.ForEachExplicitNode(func(node string, status *fwk.Status) {
		target, virtual := strings.CutPrefix(node, v1alpha1.VirtualNodePrefix)
		switch {
		case !virtual && status.Plugin() == schedulerplugin.Name:
			locally = status.Message()
			return
		case !virtual:
			for _, reason := range status.Reasons() {
				local[reason]++
			}
			return
		}
		reason := strings.TrimPrefix(strings.Join(status.Reasons(), ", "), target+": ")
		if reasons[reason] == nil {
			reasons[reason] = &refusal{reason: reason}
		}
		reasons[reason].targets = append(reasons[reason].targets, target)
	})
	list := make([]*refusal, 0, len(reasons))
	for _, r := range reasons {
		slices.Sort(r.targets)
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *refusal) int { return cmp.Compare(a.targets[0], b.targets[0]) })
	last := ""
	switch {
	case locally != "":
		last = placement.LocalName + ": " + locally
	case len(local) > 0:
		last = placement.LocalName + ": " + placement.Count(local)
	}
	return join(list, last)
}

// join keeps the text bounded: reasons that would exceed it are counted, the local nodes' reason is always there.
func join(list []*refusal, local string) string {
	var parts []string
	left := maxText - len(local)
	for i, r := range list {
		part := placement.Cut(r.names()+": "+r.reason, maxText/2)
		if left -= len(part) + len("; "); left < 0 {
			parts = append(parts, fmt.Sprintf(moreReasons, targetsOf(list[i:])))
			break
		}
		parts = append(parts, part)
	}
	if local != "" {
		parts = append(parts, placement.Cut(local, maxText/2))
	}
	return strings.Join(parts, "; ")
}

func (r *refusal) names() string {
	if len(r.targets) <= maxNamed {
		return strings.Join(r.targets, ", ")
	}
	named := maxNamed - 1
	return fmt.Sprintf(andMore, strings.Join(r.targets[:named], ", "), len(r.targets)-named)
}

func targetsOf(list []*refusal) int {
	n := 0
	for _, r := range list {
		n += len(r.targets)
	}
	return n
}
