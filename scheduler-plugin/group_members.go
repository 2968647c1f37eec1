package schedulerplugin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/utils/clock"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/target"
	"github.com/spillway-dev/spillway/scheduler-plugin/dryrun"
	"github.com/spillway-dev/spillway/scheduler-plugin/groups"
)

// groupIndex finds the pods of a group in the scheduler's own cache of pods.
const groupIndex = "spillway.dev/group"

// grouping is what the plugin keeps of groups.
type grouping struct {
	pods   cache.Indexer
	store  *groups.Store
	sizes  *groups.Sizes
	nodes  *dryrun.Nodes // the local ones
	misses misses
}

// watchGroups prepares all that groups need. The informer must not have been started.
func (p *Plugin) watchGroups(ctx context.Context, handle fwk.Handle) error {
	informer := handle.SharedInformerFactory().Core().V1().Pods().Informer()
	if err := informer.AddIndexers(cache.Indexers{groupIndex: indexGroup}); err != nil {
		return fmt.Errorf("indexing pods by group: %w", err)
	}
	nodes, err := dryrun.NewNodes(ctx, handle.ClientSet())
	if err != nil {
		return err
	}
	p.groups = &grouping{
		pods:   informer.GetIndexer(),
		store:  groups.NewStore(func(a *groups.Attempt, unused []*groups.Seat) { p.giveBack(a.Place, unused) }, p.wakeGroup),
		sizes:  groups.NewSizes(groups.APIReader{Client: handle.ClientSet()}, clock.RealClock{}, p.wakeGroup),
		nodes:  nodes,
		misses: misses{byKey: map[missKey]miss{}},
	}
	if _, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{DeleteFunc: p.memberGone}); err != nil {
		return fmt.Errorf("watching pods of groups: %w", err)
	}
	return nil
}

func indexGroup(obj any) ([]string, error) {
	if pod, ok := obj.(*corev1.Pod); ok {
		if asked, err := groups.Of(pod); asked != nil && err == nil {
			return []string{indexOf(asked.Key)}, nil
		}
	}
	return nil, nil
}

func indexOf(key groups.Key) string {
	return strings.Join([]string{key.Namespace, key.Kind, key.Name, string(key.UID)}, "/")
}

// members are the group's pods that count, from the oldest to the youngest: not those that are being deleted, that are
// held by gates, or that another scheduler places.
func (g *grouping) members(key groups.Key) []*corev1.Pod {
	found, err := g.pods.ByIndex(groupIndex, indexOf(key))
	if err != nil {
		return nil // the index exists since watchGroups
	}
	pods := make([]*corev1.Pod, 0, len(found))
	for _, obj := range found {
		pod := obj.(*corev1.Pod)
		if pod.DeletionTimestamp == nil && len(pod.Spec.SchedulingGates) == 0 && pod.Spec.SchedulerName == v1alpha1.SchedulerName {
			pods = append(pods, pod)
		}
	}
	slices.SortFunc(pods, func(a, b *corev1.Pod) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	return pods
}

// attemptOf is nil for a pod that no attempt has a seat for.
func (g *grouping) attemptOf(pod *corev1.Pod) *groups.Attempt {
	if g == nil {
		return nil
	}
	return g.store.OfPod(pod.UID)
}

// wakeGroup tries the group's pods again.
func (p *Plugin) wakeGroup(key groups.Key) {
	pods := map[string]*corev1.Pod{}
	for _, pod := range p.groups.members(key) {
		if pod.Spec.NodeName == "" {
			pods[pod.Namespace+"/"+pod.Name] = pod
		}
	}
	p.activate(pods)
}

// memberGone ends the attempt of a group that has lost a pod, and forgets a group that has lost its last.
func (p *Plugin) memberGone(obj any) {
	pod, ok := target.Untomb(obj).(*corev1.Pod)
	if !ok {
		return
	}
	asked, err := groups.Of(pod)
	if asked == nil || err != nil {
		return
	}
	if a := p.groups.store.OfPod(pod.UID); a != nil && a.Fail(fmt.Sprintf(reasonPodGone, pod.Name)) {
		klog.Background().Info("took group back, because a pod of it was deleted", "pod", klog.KObj(pod), "group", asked.Name)
	}
	if left, err := p.groups.pods.ByIndex(groupIndex, indexOf(asked.Key)); err == nil && len(left) == 0 {
		p.groups.store.Forget(asked.Key)
		p.groups.sizes.Forget(asked.Key)
		p.groups.misses.forget(asked.Key)
	}
}

// missFor is how long the pods of a group share one answer: long enough for all their cycles, one after the other, and
// shorter than the scheduler's own backoff.
const missFor = 500 * time.Millisecond

type missKey struct {
	group groups.Key
	place string
}

type miss struct {
	reason  string
	seen    int64 // the moment, of those at which targets change
	until   time.Time
	members []*corev1.Pod
}

// misses are the places that have just turned out to be too small for a group. Each of its pods would dry-run it again.
type misses struct {
	mu    sync.Mutex
	byKey map[missKey]miss
}

// recall returns the reason that was found a moment ago, or asks and keeps what it says.
func (m *misses) recall(g *grouped, place string, seen int64, now time.Time, ask func() string) string {
	key := missKey{g.key, place}
	m.mu.Lock()
	known, ok := m.byKey[key]
	m.mu.Unlock()
	if ok && known.seen == seen && now.Before(known.until) && slices.Equal(known.members, g.members) {
		return known.reason
	}
	reason := ask()
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.byKey, key)
	if reason != "" {
		m.byKey[key] = miss{reason: reason, seen: seen, until: now.Add(missFor), members: g.members}
	}
	return reason
}

func (m *misses) forget(group groups.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key := range m.byKey {
		if key.group == group {
			delete(m.byKey, key)
		}
	}
}
