package schedulerplugin

import (
	"fmt"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/scheduler-plugin/groups"
	"github.com/spillway-dev/spillway/scheduler-plugin/views"
)

// grouped is what a pod's cycle knows of its group.
type grouped struct {
	key     groups.Key
	role    groups.Role
	place   string          // the only one for the pod: groups.Local or a virtual node; "" for a leader that is free to choose
	attempt *groups.Attempt // nil for one that follows, and for a leader before Reserve
	members []*corev1.Pod   // of a leader: who go along, itself included
	nodes   []fwk.NodeInfo  // of a leader: the local ones
	onLocal sync.Once       // looks for seats on them

	mu     sync.Mutex
	seats  map[string][]*groups.Seat // of a leader: by place that has room for all
	local  string                    // why the local nodes do not
	recall bool                      // some have delegates at place already, and it has no room for the others
}

// joinGroup finds the pod's role in its group. It returns why the pod has to wait; "" when it has not.
func (p *Plugin) joinGroup(c *cycle, pod *corev1.Pod, nodes []fwk.NodeInfo) string {
	asked, err := groups.Of(pod)
	if asked == nil {
		return ""
	}
	size := asked.Size
	if err == nil && size == 0 {
		size, err = p.groups.sizes.Get(asked.Key)
	}
	switch {
	case err != nil:
		return err.Error()
	case size == 0:
		return "" // a PodGroup whose pods need not be together
	}
	members := p.groups.members(asked.Key)
	verdict := groups.Decide(p.view(asked.Key, size, pod.UID, members))
	g := &grouped{key: asked.Key, role: verdict.Role, place: verdict.Place, seats: map[string][]*groups.Seat{}}
	switch verdict.Role {
	case groups.Waits:
		p.groups.sizes.Doubt(asked.Key)
		return verdict.Reason
	case groups.Joins:
		g.attempt = p.groups.store.OfPod(pod.UID)
		g.local = g.attempt.Why[groups.Local]
	case groups.Leads:
		g.members, g.nodes = members[:size], localNodes(nodes)
		if reason := p.tieToDelegates(c, g, nodes); reason != "" {
			return reason
		}
	}
	c.group, c.shape = g, shapeAlone(pod.UID)
	return ""
}

func (p *Plugin) view(key groups.Key, size int, self types.UID, pods []*corev1.Pod) groups.View {
	v := groups.View{Key: key, Size: size, Self: self, Members: make([]groups.Member, len(pods))}
	unbound := map[types.UID]bool{}
	for i, pod := range pods {
		v.Members[i] = groups.Member{UID: pod.UID, Place: groupPlaceOf(pod)}
		unbound[pod.UID] = pod.Spec.NodeName == ""
	}
	v.Attempt = p.groups.store.Of(key, func(uid types.UID) bool { return unbound[uid] })
	return v
}

// tieToDelegates ties a group to the target that has delegates of it, from before a restart. It returns why the group has
// to wait: for a delegate of one of its pods that is not known, or is about to go.
func (p *Plugin) tieToDelegates(c *cycle, g *grouped, nodes []fwk.NodeInfo) string {
	for _, member := range g.members {
		its := &cycle{policy: c.policy}
		if reason := p.tie(its, member, nodes); reason != "" {
			p.waiting.add(member, c.growths)
			return fmt.Sprintf(reasonOneOfGroup, member.Name, reason)
		}
		if its.existing != nil {
			g.place = its.fence
		}
	}
	return ""
}

// alone tells whether the pod's way concerns no other pod.
func (c *cycle) alone() bool { return c.group == nil || c.group.role == groups.Follows }

// notWithGroup says why a place is not the pod's: what the group's leader was told there, or that the group is elsewhere.
func (c *cycle) notWithGroup(place string) string {
	if c.group == nil || c.group.place == "" || c.group.place == place {
		return ""
	}
	if c.group.attempt != nil && c.group.attempt.Why[place] != "" {
		return c.group.attempt.Why[place]
	}
	return fmt.Sprintf(reasonGroupElsewhere, c.group.key, strings.TrimPrefix(c.group.place, v1alpha1.VirtualNodePrefix))
}

// groupName is for the placement's record.
func (c *cycle) groupName() string {
	if c.group == nil {
		return ""
	}
	return c.group.key.Name
}

// whyNotLocal is what the record says of the local nodes: the group's reason if it has one, else the views'.
func (c *cycle) whyNotLocal(refusals string) string {
	if c.group != nil && c.group.local != "" {
		return c.group.local
	}
	return refusals
}

// whyNot is what a leader was told by the places that would not have its group.
func (c *cycle) whyNot(localRefusals string) map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	why := map[string]string{groups.Local: c.whyNotLocal(localRefusals)}
	for node, found := range c.places {
		if !found.Local && found.reason != "" {
			why[node] = found.reason
		}
	}
	return why
}

func (g *grouped) keep(place string, seats []*groups.Seat) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seats[place] = seats
}

func (g *grouped) seatOf(uid types.UID, place string) *groups.Seat {
	if g.attempt != nil {
		return g.attempt.Seat(uid)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, seat := range g.seats[place] {
		if seat.Pod.UID == uid {
			return seat
		}
	}
	return nil
}

// groupPlaceOf a bound pod, as groups have it.
func groupPlaceOf(pod *corev1.Pod) string {
	if pod.Spec.NodeName == "" || strings.HasPrefix(pod.Spec.NodeName, v1alpha1.VirtualNodePrefix) {
		return pod.Spec.NodeName
	}
	return groups.Local
}

func localNodes(nodes []fwk.NodeInfo) []fwk.NodeInfo {
	var local []fwk.NodeInfo
	for _, node := range nodes {
		if !views.IsVirtual(node.Node()) {
			local = append(local, node)
		}
	}
	return local
}
