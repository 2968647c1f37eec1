package target

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func list(pairs ...string) corev1.ResourceList {
	l := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		l[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return l
}

func TestQuotaRoom(t *testing.T) {
	tests := map[string]struct {
		quotas []corev1.ResourceList
		want   corev1.ResourceList
	}{
		"no quota, no room declared":            {nil, list()},
		"requests are the resource":             {[]corev1.ResourceList{list("requests.cpu", "4", "requests.memory", "8Gi", "requests.ephemeral-storage", "1Gi")}, list("cpu", "4", "memory", "8Gi", "ephemeral-storage", "1Gi")},
		"a bare resource is its requests":       {[]corev1.ResourceList{list("cpu", "4", "pods", "10")}, but("cpu", "4", "pods", "10")},
		"extended resources count":              {[]corev1.ResourceList{list("requests.nvidia.com/gpu", "2")}, but("nvidia.com/gpu", "2")},
		"of several quotas the tightest":        {[]corev1.ResourceList{list("requests.cpu", "4"), list("cpu", "2"), list("requests.cpu", "3")}, but("cpu", "2")},
		"limits and object counts are not room": {[]corev1.ResourceList{list("limits.cpu", "4", "count/configmaps", "3", "requests.cpu", "1")}, but("cpu", "1")},
		"what no quota names is not limited":    {[]corev1.ResourceList{list("pods", "3")}, list("pods", "3", "cpu", "1M", "memory", "1Pi", "ephemeral-storage", "1Pi")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var quotas []any
			for _, hard := range test.quotas {
				quotas = append(quotas, &corev1.ResourceQuota{Spec: corev1.ResourceQuotaSpec{Hard: hard}})
			}
			assert.Empty(t, cmp.Diff(test.want, quotaRoom(quotas)))
		})
	}
}

// but is all that every node has, without limit but for these.
func but(pairs ...string) corev1.ResourceList {
	room := list("cpu", "1M", "memory", "1Pi", "ephemeral-storage", "1Pi")
	maps.Copy(room, list(pairs...))
	return room
}

func TestRoomChanged(t *testing.T) {
	base := func() *corev1.Node {
		return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"disk": "ssd"}}, Status: corev1.NodeStatus{
			Allocatable: list("cpu", "4"), Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}}}
	}
	tests := map[string]struct {
		change func(*corev1.Node)
		want   bool
	}{
		"a heartbeat": {func(n *corev1.Node) {
			n.Status.Conditions[0].LastHeartbeatTime = metav1.NewTime(noon)
			n.ResourceVersion = "2"
		}, false},
		"the same, otherwise written": {func(n *corev1.Node) { n.Status.Allocatable = list("cpu", "4000m") }, false},
		"cordoned":                    {func(n *corev1.Node) { n.Spec.Unschedulable = true }, true},
		"no longer ready":             {func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionUnknown }, true},
		"grown":                       {func(n *corev1.Node) { n.Status.Allocatable = list("cpu", "8") }, true},
		"tainted":                     {func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Key: "gpu"}} }, true},
		"upgraded":                    {func(n *corev1.Node) { n.Status.DeclaredFeatures = []string{"RestartAllContainersOnContainerExits"} }, true},
		"labelled":                    {func(n *corev1.Node) { n.Labels = map[string]string{"disk": "hdd"} }, true},
	}
	for name, test := range tests {
		t.Run("a node: "+name, func(t *testing.T) {
			now := base()
			test.change(now)
			assert.Equal(t, test.want, RoomChanged(base(), now))
		})
	}
	t.Run("a quota: what is used of it is no news", func(t *testing.T) {
		was := &corev1.ResourceQuota{Spec: corev1.ResourceQuotaSpec{Hard: list("cpu", "4")}}
		now := was.DeepCopy()
		now.Status.Used = list("cpu", "3")
		assert.False(t, RoomChanged(was, now))
		now.Spec.Hard = list("cpu", "5")
		assert.True(t, RoomChanged(was, now))
	})
}

func TestRoom(t *testing.T) {
	ready := corev1.NodeStatus{Allocatable: list("cpu", "4", "memory", "8Gi", "pods", "10"),
		Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}}
	unready := *ready.DeepCopy()
	unready.Conditions[0].Status = corev1.ConditionFalse
	node := func(name, heat string, status corev1.NodeStatus, cordoned bool) *corev1.Node {
		return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"heat": heat}}, Status: status,
			Spec: corev1.NodeSpec{Unschedulable: cordoned}}
	}
	ready.DeclaredFeatures = []string{"GuaranteedMagic", "InPlacePodLevelResourcesVerticalScaling", "RestartAllContainersOnContainerExits"}
	other := *ready.DeepCopy()
	other.DeclaredFeatures = []string{"GuaranteedMagic", "InPlacePodLevelResourcesVerticalScaling"}
	live := newTarget(t, v1alpha1.TargetSpec{NodeSelector: map[string]string{"heat": "true"}})
	for _, n := range []*corev1.Node{node("a", "true", ready, false), node("b", "true", other, false), node("cordoned", "true", ready, true),
		node("unready", "true", unready, false), node("unselected", "false", ready, false)} {
		require.NoError(t, live.Nodes().GetStore().Add(n))
	}
	for _, p := range []*corev1.Pod{
		delegateOn("a", "1"), stranger("x", "a", "500m"), stranger("y", "unselected", "3"), stranger("z", "", "2"),
		inPhase(stranger("done", "b", "4"), corev1.PodSucceeded),
	} {
		require.NoError(t, live.Pods().GetStore().Add(p))
	}
	got := live.Room()
	assert.EqualValues(t, 2, got.Nodes)
	assert.EqualValues(t, 1, got.Delegates)
	assert.Empty(t, cmp.Diff(list("cpu", "8", "memory", "16Gi", "pods", "20"), got.Allocatable))
	assert.Empty(t, cmp.Diff(list("cpu", "6500m", "memory", "16Gi", "pods", "18"), got.Free))
	assert.Equal(t, []string{"InPlacePodLevelResourcesVerticalScaling"}, got.Features, "what both nodes declare, and Kubernetes knows")
	assert.Len(t, live.UsableNodes(), 2)
}

func TestDeclaredRoomIsOneMadeUpNode(t *testing.T) {
	live := newTarget(t, v1alpha1.TargetSpec{NodeSelector: map[string]string{"heat": "true"},
		Capacity: v1alpha1.Capacity{From: v1alpha1.CapacityStatic, Static: list("cpu", "4")}})
	require.NoError(t, live.Pods().GetStore().Add(delegateOn("their-node", "1")))
	require.Len(t, live.UsableNodes(), 1)
	node := live.UsableNodes()[0]
	assert.Equal(t, "true", node.Labels["heat"], "every delegate carries the selector")
	assert.True(t, NodeReady(node))
	assert.False(t, node.Status.Allocatable.Pods().IsZero(), "a node without room for pods would take none")
	got := live.Room()
	assert.Zero(t, got.Nodes, "nobody has counted any")
	assert.Equal(t, "3", got.Free.Cpu().String())
	assert.NotContains(t, live.Spec().Capacity.Static, corev1.ResourcePods, "the object is not changed")
}

func TestAQuotaIsOfOneNamespace(t *testing.T) {
	_, err := tryTarget(v1alpha1.TargetSpec{Capacity: v1alpha1.Capacity{From: v1alpha1.CapacityQuota}})
	require.True(t, IsKubeconfigError(err))
	assert.ErrorContains(t, err, "needs namespaces.mapping: Fixed")
}
