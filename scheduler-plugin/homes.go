package schedulerplugin

import (
	"maps"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/delegate"
	"github.com/spillway-dev/spillway/pkg/placement"
	"github.com/spillway-dev/spillway/pkg/target"
)

// homeKept is how long an owner without any pod keeps its home: a StatefulSet makes its next pod only when the old one is
// gone.
const homeKept = 5 * time.Minute

// homes knows where the pods of each owner (a ReplicaSet, a Job, a StatefulSet) were last placed. It is read off the bound
// pods themselves, so a restart loses nothing that matters.
type homes struct {
	clock clock.PassiveClock

	mu     sync.RWMutex
	owners map[types.UID]map[string]home // by owner and place
	left   map[types.UID]time.Time       // owners without pods, since when
	swept  time.Time
}

// home is one place of an owner: how many of its pods are there, and when the last was placed.
type home struct {
	pods int
	last time.Time
}

func newHomes(c clock.PassiveClock) *homes {
	return &homes{clock: c, owners: map[types.UID]map[string]home{}, left: map[types.UID]time.Time{}}
}

// watch reads the pods of an informer, from now on.
func (h *homes) watch(pods cache.SharedIndexInformer) error {
	_, err := pods.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) { h.changed(nil, obj) },
		UpdateFunc: func(old, obj any) {
			was, is := old.(*corev1.Pod), obj.(*corev1.Pod)
			if was.Spec.NodeName != is.Spec.NodeName || ownerOf(was) != ownerOf(is) || counts(was) != counts(is) {
				h.changed(old, obj)
			}
		},
		DeleteFunc: func(obj any) { h.changed(target.Untomb(obj), nil) },
	})
	return err
}

// of returns when the owner last had a pod put at each place, by the place's name.
func (h *homes) of(owner types.UID) map[string]time.Time {
	h.mu.RLock()
	defer h.mu.RUnlock()
	found := make(map[string]time.Time, len(h.owners[owner]))
	for place, at := range h.owners[owner] {
		found[place] = at.last
	}
	return found
}

// changed takes what a pod was into account no more, and what it is instead.
func (h *homes) changed(was, is any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if pod, ok := is.(*corev1.Pod); ok && counts(pod) {
		owner, place := ownerOf(pod), placeOf(pod)
		if h.owners[owner] == nil {
			h.owners[owner] = map[string]home{}
		}
		at := h.owners[owner][place]
		at.pods++
		placed := placedAt(pod)
		if before, ok := was.(*corev1.Pod); ok && before.Spec.NodeName == "" {
			placed = h.clock.Now() // seen as it happened: the pod itself only knows the second
		}
		if placed.After(at.last) {
			at.last = placed
		}
		h.owners[owner][place] = at
		delete(h.left, owner)
	}
	if pod, ok := was.(*corev1.Pod); ok && counts(pod) {
		h.drop(ownerOf(pod), placeOf(pod))
	}
}

// drop takes one pod away. A place without pods is forgotten, unless the owner has none elsewhere.
func (h *homes) drop(owner types.UID, place string) {
	places := h.owners[owner]
	at := places[place]
	at.pods--
	places[place] = at
	for _, other := range places {
		if other.pods > 0 {
			maps.DeleteFunc(places, func(_ string, h home) bool { return h.pods <= 0 })
			return
		}
	}
	now := h.clock.Now()
	h.left[owner] = now
	if now.Sub(h.swept) < homeKept/5 {
		return
	}
	h.swept = now
	for owner, since := range h.left {
		if now.Sub(since) > homeKept {
			delete(h.left, owner)
			delete(h.owners, owner)
		}
	}
}

// counts tells whether a pod shows where its owner is: it has been placed, and has not failed there.
func counts(pod *corev1.Pod) bool {
	return pod.Spec.NodeName != "" && pod.Status.Phase != corev1.PodFailed && ownerOf(pod) != ""
}

// ownerOf is the UID of the controller that makes the pod anew; "" without one.
func ownerOf(pod *corev1.Pod) types.UID {
	if ref := metav1.GetControllerOfNoCopy(pod); ref != nil {
		return ref.UID
	}
	return ""
}

// placeOf is the name of the place that a bound pod is at.
func placeOf(pod *corev1.Pod) string {
	if name, virtual := strings.CutPrefix(pod.Spec.NodeName, v1alpha1.VirtualNodePrefix); virtual {
		return name
	}
	return placement.LocalName
}

// placedAt is when the pod was bound.
func placedAt(pod *corev1.Pod) time.Time {
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.PodScheduled && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Time
		}
	}
	return pod.CreationTimestamp.Time
}

// FollowOwners lets the plugin know where the pods of each owner are, from an informer of elected pods.
func (p *Plugin) FollowOwners(pods cache.SharedIndexInformer) error { return p.homes.watch(pods) }

// homesOf a pod's owner, where the next one rather goes too. A pod that says itself how targets compare for it (spread over
// them, with or without other pods, preferring a region) has none: between places that are equal to us those words decide,
// by the in-tree scores.
func (p *Plugin) homesOf(pod *corev1.Pod) map[string]time.Time {
	owner := ownerOf(pod)
	if owner == "" || comparesTargets(pod, p.Registry) {
		return nil
	}
	return p.homes.of(owner)
}

func comparesTargets(pod *corev1.Pod, registry *target.Registry) bool {
	if pod.Spec.Affinity == nil && len(pod.Spec.TopologySpreadConstraints) == 0 {
		return false
	}
	view := delegate.ClusterView(pod, ClusterKeys(registry)).Spec
	if len(view.TopologySpreadConstraints) > 0 {
		return true
	}
	affinity := view.Affinity
	if affinity == nil {
		return false
	}
	node, with, without := affinity.NodeAffinity, affinity.PodAffinity, affinity.PodAntiAffinity
	return node != nil && len(node.PreferredDuringSchedulingIgnoredDuringExecution) > 0 ||
		with != nil && len(with.RequiredDuringSchedulingIgnoredDuringExecution)+len(with.PreferredDuringSchedulingIgnoredDuringExecution) > 0 ||
		without != nil && len(without.RequiredDuringSchedulingIgnoredDuringExecution)+len(without.PreferredDuringSchedulingIgnoredDuringExecution) > 0
}

// ClusterKeys tells the label keys on which constraints choose between targets. It asks the same question as the making of a
// delegate does, so that a constraint is decided in one place.
func ClusterKeys(registry *target.Registry) func(string) bool {
	targets := registry.List()
	labels := make([]map[string]string, len(targets))
	for i, t := range targets {
		labels[i] = t.Spec().Labels
	}
	return func(key string) bool { return delegate.IsClusterKey(key, labels...) }
}
