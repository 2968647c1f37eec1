package target

import (
	"context"
	"errors"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/component-helpers/nodedeclaredfeatures/features"
	resourcehelper "k8s.io/component-helpers/resource"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// Room is a target's room, added up for people; placement never uses the sum, because what fits in sum may fit on no node.
type Room struct {
	Nodes       int32
	Delegates   int32
	Allocatable corev1.ResourceList
	Free        corev1.ResourceList
	Features    []string // those that all of the nodes declare
}

// Room adds up the nodes that delegates may run on, and the pods on them.
func (t *Target) Room() Room {
	room := Room{Allocatable: corev1.ResourceList{}, Free: corev1.ResourceList{}}
	counted := map[string]bool{}
	for _, node := range t.UsableNodes() {
		counted[node.Name] = true
		room.addNode(node)
	}
	for _, obj := range t.watches.pods.GetStore().List() {
		pod := obj.(*corev1.Pod)
		if Ended(pod) {
			continue
		}
		if t.IsDelegate(pod) {
			room.Delegates++
		}
		if counted[t.NodeOf(pod)] {
			subtract(room.Free, pod)
		}
	}
	if t.watches.nodes == nil {
		room.Nodes = 0 // the one node is made up
	}
	return room
}

// selfRoom adds up the source's own nodes for people to see; the scheduler knows them by itself.
func (c *Controller) selfRoom(ctx context.Context) Room {
	room := Room{Allocatable: corev1.ResourceList{}, Free: corev1.ResourceList{}}
	nodes, nodesErr := c.SourceNodes.List(labels.Everything())
	pods, podsErr := c.SourcePods.List(labels.Everything())
	if err := errors.Join(nodesErr, podsErr); err != nil {
		ctrllog.FromContext(ctx).Error(err, "listing the source's nodes and pods failed")
		return room
	}
	counted := map[string]bool{}
	for _, node := range nodes {
		if node.Labels[v1alpha1.LabelTarget] == "" {
			counted[node.Name] = true
			room.addNode(node)
		}
	}
	for _, pod := range pods {
		if counted[pod.Spec.NodeName] && !Ended(pod) {
			subtract(room.Free, pod)
		}
	}
	return room
}

func (r *Room) addNode(node *corev1.Node) {
	if r.Nodes == 0 {
		r.Features = knownFeatures()
	}
	r.Features = slices.DeleteFunc(r.Features, func(f string) bool { return !slices.Contains(node.Status.DeclaredFeatures, f) })
	r.Nodes++
	for name, q := range node.Status.Allocatable {
		add(r.Allocatable, name, q)
		add(r.Free, name, q)
	}
}

// knownFeatures are those that nodes may declare: a target's own words would go into the source's Node as they are.
func knownFeatures() []string {
	names := make([]string, len(features.AllFeatures))
	for i, feature := range features.AllFeatures {
		names[i] = feature.Name()
	}
	slices.Sort(names)
	return names
}

// UsableNodes are the nodes that the target's nodeSelector admits and that take pods. Where nodes are not watched, one
// node is made up of the quota or the declared room, so that a dry run needs no second way to count. None may be changed.
func (t *Target) UsableNodes() []*corev1.Node {
	if t.watches.nodes == nil {
		return []*corev1.Node{t.madeUpNode()}
	}
	var usable []*corev1.Node
	selector := labels.SelectorFromSet(t.Spec().NodeSelector)
	for _, obj := range t.watches.nodes.GetStore().List() {
		node := obj.(*corev1.Node)
		if selector.Matches(labels.Set(node.Labels)) && !node.Spec.Unschedulable && NodeReady(node) {
			usable = append(usable, node)
		}
	}
	return usable
}

// NodeOf is the name of the node whose room a pod takes: its own, or the made-up one.
func (t *Target) NodeOf(pod *corev1.Pod) string {
	if t.watches.nodes == nil {
		return t.name
	}
	return pod.Spec.NodeName
}

func (t *Target) madeUpNode() *corev1.Node {
	allocatable := t.Spec().Capacity.Static.DeepCopy()
	if t.watches.quotas != nil {
		allocatable = quotaRoom(t.watches.quotas.GetStore().List())
	}
	if allocatable == nil {
		allocatable = corev1.ResourceList{}
	}
	unlimited(allocatable, corev1.ResourcePods, "10000")
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: t.name, Labels: t.Spec().NodeSelector},
		Status: corev1.NodeStatus{
			Capacity: allocatable, Allocatable: allocatable,
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
		},
	}
}

// quotaRoom is, for each resource, the smallest of what the quotas allow. Limits on requests count as the resource. What
// every node has and no quota names is as good as unlimited there: a quota of CPU alone must not refuse each pod that asks
// for memory. Without any quota nothing is known, and nothing fits.
func quotaRoom(quotas []any) corev1.ResourceList {
	room := corev1.ResourceList{}
	for _, obj := range quotas {
		for name, hard := range obj.(*corev1.ResourceQuota).Spec.Hard {
			name = corev1.ResourceName(strings.TrimPrefix(string(name), "requests."))
			if strings.HasPrefix(string(name), "limits.") || strings.HasPrefix(string(name), "count/") {
				continue
			}
			if had, ok := room[name]; !ok || hard.Cmp(had) < 0 {
				room[name] = hard
			}
		}
	}
	if len(quotas) > 0 {
		unlimited(room, corev1.ResourceCPU, "1M")
		unlimited(room, corev1.ResourceMemory, "1Pi")
		unlimited(room, corev1.ResourceEphemeralStorage, "1Pi")
	}
	return room
}

func unlimited(room corev1.ResourceList, name corev1.ResourceName, amount string) {
	if _, ok := room[name]; !ok {
		room[name] = resource.MustParse(amount)
	}
}

// RoomChanged tells whether an update of a node or a quota changes what fits there; a node's heartbeats do not.
func RoomChanged(old, obj any) bool {
	switch now := obj.(type) {
	case *corev1.Node:
		was := old.(*corev1.Node)
		return was.Spec.Unschedulable != now.Spec.Unschedulable || NodeReady(was) != NodeReady(now) ||
			!equality.Semantic.DeepEqual(was.Status.Allocatable, now.Status.Allocatable) ||
			!equality.Semantic.DeepEqual(was.Spec.Taints, now.Spec.Taints) ||
			!slices.Equal(was.Status.DeclaredFeatures, now.Status.DeclaredFeatures) ||
			!equality.Semantic.DeepEqual(was.Labels, now.Labels)
	case *corev1.ResourceQuota:
		return !equality.Semantic.DeepEqual(old.(*corev1.ResourceQuota).Spec, now.Spec)
	}
	return true
}

func add(list corev1.ResourceList, name corev1.ResourceName, q resource.Quantity) {
	sum := list[name]
	sum.Add(q)
	list[name] = sum
}

func subtract(free corev1.ResourceList, pod *corev1.Pod) {
	requests := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
	requests[corev1.ResourcePods] = *resource.NewQuantity(1, resource.DecimalSI)
	for name, q := range requests {
		if left, ok := free[name]; ok {
			left.Sub(q)
			free[name] = left
		}
	}
}
