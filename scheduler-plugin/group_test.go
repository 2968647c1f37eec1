package schedulerplugin

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/scheduler-plugin/groups"
)

// groupHandle is the scheduler with the cache of pods that groups look into, and the room that it keeps for pods.
type groupHandle struct {
	*handle
	informers informers.SharedInformerFactory
	nominated map[types.UID]fwk.PodInfo
	nodes     map[types.UID]string
}

func (h *groupHandle) SharedInformerFactory() informers.SharedInformerFactory { return h.informers }

func (h *groupHandle) AddNominatedPod(_ klog.Logger, info fwk.PodInfo, to *fwk.NominatingInfo) {
	h.nominated[info.GetPod().UID], h.nodes[info.GetPod().UID] = info, to.NominatedNodeName
}

func (h *groupHandle) DeleteNominatedPodIfExists(pod *corev1.Pod) {
	delete(h.nominated, pod.UID)
	delete(h.nodes, pod.UID)
}

func (h *groupHandle) NominatedPodsForNode(node string) []fwk.PodInfo {
	var infos []fwk.PodInfo
	for uid, on := range h.nodes {
		if on == node {
			infos = append(infos, h.nominated[uid])
		}
	}
	return infos
}

// world is a source with local nodes of 4 CPUs, and groups.
type world struct {
	*Plugin
	t      *testing.T
	handle *groupHandle
	nodes  []fwk.NodeInfo
}

func newWorld(t *testing.T, nodes ...string) *world {
	t.Helper()
	p, _ := newPlugin(t, map[string]labels.Set{"shop": {v1alpha1.LabelBurst: v1alpha1.BurstEnabled}})
	client := fake.NewClientset()
	h := &groupHandle{handle: &handle{client: client, activated: make(chan map[string]*corev1.Pod, 100)},
		informers: informers.NewSharedInformerFactory(client, 0), nominated: map[types.UID]fwk.PodInfo{}, nodes: map[types.UID]string{}}
	_, err := p.Factory(t.Context(), nil, h)
	require.NoError(t, err)
	w := &world{Plugin: p, t: t, handle: h}
	for _, name := range nodes {
		info := framework.NewNodeInfo()
		room := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourceMemory: resource.MustParse("8Gi"), corev1.ResourcePods: resource.MustParse("110")}
		info.SetNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{Capacity: room, Allocatable: room,
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}}})
		w.nodes = append(w.nodes, info)
	}
	return w
}

// member adds a pod of a group to the cache.
func (w *world) member(group string, i, size int, cpu string, change ...func(*corev1.Pod)) *corev1.Pod {
	w.t.Helper()
	pod := electedPod(change...)
	pod.Name, pod.UID = fmt.Sprintf("%s-%d", group, i), types.UID(fmt.Sprintf("%s-%d", group, i))
	pod.Labels = map[string]string{v1alpha1.LabelElected: v1alpha1.ElectedTrue, v1alpha1.LabelGroup: group}
	pod.Annotations[v1alpha1.AnnotationGroupSize] = fmt.Sprint(size)
	pod.Spec.SchedulerName = v1alpha1.SchedulerName
	pod.Spec.Containers = []corev1.Container{{Name: "main", Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}}}}
	require.NoError(w.t, w.groups.pods.Add(pod))
	return pod
}

// cycleFor runs a pod's PreFilter, and Filter on every node; it returns the nodes that are left and the last reason.
func (w *world) cycleFor(pod *corev1.Pod) (state fwk.CycleState, fits []string, reason string) {
	w.t.Helper()
	state = framework.NewCycleState()
	if _, status := w.PreFilter(w.t.Context(), state, pod, w.nodes); !status.IsSuccess() {
		return state, nil, status.Message()
	}
	for _, node := range w.nodes {
		if status := w.Filter(w.t.Context(), state, pod, node); status.IsSuccess() {
			fits = append(fits, node.Node().Name)
		} else {
			reason = status.Message()
		}
	}
	return state, fits, reason
}

func TestAGroupOnLocalNodesReservesForAllAndIsBoundTogether(t *testing.T) {
	w := newWorld(t, "a", "b")
	var pods []*corev1.Pod
	for i := range 4 {
		if i == 3 {
			_, _, reason := w.cycleFor(pods[0])
			assert.Equal(t, "group train has 3 of 4 pods", reason)
		}
		pods = append(pods, w.member("train", i, 4, "2"))
	}

	leads, fits, _ := w.cycleFor(pods[2]) // whoever comes first
	require.Len(t, fits, 1, "the dry run of the whole group has chosen its node")
	require.True(t, w.Reserve(t.Context(), leads, pods[2], fits[0]).IsSuccess())
	assert.Len(t, w.handle.nodes, 3, "room is kept for the others")
	assert.Len(t, <-w.handle.activated, 4)

	other := w.member("other", 0, 2, "2")
	w.member("other", 1, 2, "2")
	state, fits, reason := w.cycleFor(other)
	assert.Empty(t, fits)
	assert.Equal(t, "1 of 2 pods of the group fit: 2 Insufficient cpu", reason, "what is kept is not free")
	assert.Equal(t, fwk.UnschedulableAndUnresolvable, second(w.PostFilter(t.Context(), state, other, framework.NewDefaultNodeToStatus())).Code(),
		"no pod is preempted for a part of a group")

	done := make(chan *fwk.Status, 4)
	states := map[types.UID]fwk.CycleState{pods[2].UID: leads}
	go func() { done <- w.PreBind(t.Context(), leads, pods[2], "a") }()
	for _, pod := range []*corev1.Pod{pods[0], pods[1], pods[3]} {
		select {
		case <-done:
			t.Fatal("one was bound before all had come")
		case <-time.After(20 * time.Millisecond):
		}
		joins, fits, _ := w.cycleFor(pod)
		require.Equal(t, []string{w.handle.nodes[pod.UID]}, fits)
		require.True(t, w.Reserve(t.Context(), joins, pod, fits[0]).IsSuccess())
		states[pod.UID] = joins
		go func() { done <- w.PreBind(t.Context(), joins, pod, fits[0]) }()
	}
	for range pods {
		require.True(t, (<-done).IsSuccess())
	}
}

func second(_ *fwk.PostFilterResult, status *fwk.Status) *fwk.Status { return status }

func TestAGroupThatLosesAPodIsTakenBackAndLeavesNothing(t *testing.T) {
	w := newWorld(t, "a", "b")
	first, last := w.member("train", 0, 2, "3"), w.member("train", 1, 2, "3")
	leads, fits, _ := w.cycleFor(first)
	require.True(t, w.Reserve(t.Context(), leads, first, fits[0]).IsSuccess())
	require.Len(t, w.handle.nodes, 1)
	<-w.handle.activated

	require.NoError(t, w.groups.pods.Delete(last))
	w.memberGone(last)
	status := w.PreBind(t.Context(), leads, first, fits[0])
	assert.Equal(t, "group train is taken back: pod train-1 was deleted", status.Message())
	assert.Empty(t, w.handle.nodes)
	_, _, reason := w.cycleFor(first)
	assert.Contains(t, reason, "is being taken back")

	w.Unreserve(t.Context(), leads, first, fits[0])
	assert.Len(t, <-w.handle.activated, 1)
	_, _, reason = w.cycleFor(first)
	assert.Equal(t, "group train has 1 of 2 pods", reason)

	require.NoError(t, w.groups.pods.Delete(first))
	w.memberGone(first)
	assert.Nil(t, w.groups.attemptOf(first))
}

func TestAGroupWhoseMemberFindsNoSeatTriesThatPlaceNotAtOnceAgain(t *testing.T) {
	w := newWorld(t, "a", "b")
	first, last := w.member("train", 0, 2, "3"), w.member("train", 1, 2, "3")
	leads, fits, _ := w.cycleFor(first)
	require.True(t, w.Reserve(t.Context(), leads, first, fits[0]).IsSuccess())
	joins, seat, _ := w.cycleFor(last)
	statuses := framework.NewDefaultNodeToStatus()
	statuses.Set(seat[0], fwk.NewStatus(fwk.Unschedulable, "node(s) had a volume elsewhere"))
	w.PostFilter(t.Context(), joins, last, statuses)

	assert.Equal(t, "group train is taken back: local: pod train-1: node(s) had a volume elsewhere",
		w.PreBind(t.Context(), leads, first, fits[0]).Message())
	w.Unreserve(t.Context(), leads, first, fits[0])
	_, fits, reason := w.cycleFor(first)
	assert.Empty(t, fits)
	assert.Contains(t, reason, "pod train-1 of the group: ")
	assert.Contains(t, reason, "node(s) had a volume elsewhere")
}

func TestAPodOfAGroupThatIsSomewhereGoesThereOnly(t *testing.T) {
	bound := func(p *corev1.Pod) { p.Spec.NodeName = "spillway-heata" }
	w := newWorld(t, "a")
	w.member("train", 0, 3, "1", bound)
	_, fits, reason := w.cycleFor(w.member("train", 1, 3, "1"))
	assert.Empty(t, fits)
	assert.Equal(t, "its group train is in heata", reason)
}

func TestWhoCountsInAGroup(t *testing.T) {
	w := newWorld(t)
	now := metav1.Now()
	w.member("train", 0, 9, "1", func(p *corev1.Pod) { p.DeletionTimestamp = &now })
	w.member("train", 1, 9, "1", func(p *corev1.Pod) { p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "quota"}} })
	older := w.member("train", 3, 9, "1", func(p *corev1.Pod) { p.CreationTimestamp = metav1.NewTime(now.Add(-time.Minute)) })
	younger := w.member("train", 2, 9, "1", func(p *corev1.Pod) { p.CreationTimestamp = now })
	w.member("other", 0, 9, "1")
	assert.Equal(t, []*corev1.Pod{older, younger}, w.groups.members(groups.Key{Namespace: "shop", Name: "train"}))
}
