package dryrun

import (
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	fwk "k8s.io/kube-scheduler/framework"
	schedulercache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/metrics"
)

// resourceNames are what a pod may ask for, with amounts around which it just fits or just does not.
var resourceNames = map[corev1.ResourceName][]string{
	corev1.ResourceCPU:              {"0", "1", "2", "2001m", "3"},
	corev1.ResourceMemory:           {"0", "1Gi", "2Gi", "2049Mi"},
	corev1.ResourceEphemeralStorage: {"0", "1Gi", "3Gi"},
	"nvidia.com/gpu":                {"0", "1", "2"},
	corev1.ResourcePods:             {"1", "2", "3"},
}

func someOf(r *rand.Rand, leaveOut corev1.ResourceName) corev1.ResourceList {
	list := corev1.ResourceList{}
	for name, amounts := range resourceNames {
		if name != leaveOut && r.Intn(4) > 0 {
			list[name] = resource.MustParse(amounts[r.Intn(len(amounts))])
		}
	}
	return list
}

func resourcePod(r *rand.Rand, name, node string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, UID: "uid"}, Spec: corev1.PodSpec{NodeName: node,
		Containers: []corev1.Container{{Name: "main", Resources: corev1.ResourceRequirements{Requests: someOf(r, corev1.ResourcePods)}}}}}
}

func TestTheShortWayGivesTheInTreeFiltersAnswer(t *testing.T) {
	metrics.Register()
	filters, err := newFilters(t.Context(), fake.NewClientset(), schedulercache.NewEmptySnapshot())
	require.NoError(t, err)
	taken, refused, again := 0, 0, 0
	for seed := range int64(2000) {
		r := rand.New(rand.NewSource(seed))
		q := newQuestion(resourcePod(r, "new", ""))
		inTree, shortWay := framework.NewCycleState(), framework.NewCycleState()
		shortWay.Write(needKey, &asked{need: q.need, answers: map[lacks]*fwk.Status{}})
		for _, state := range []fwk.CycleState{inTree, shortWay} {
			_, status, _ := filters.RunPreFilterPlugins(t.Context(), state, q.pod)
			require.True(t, status.IsSuccess())
		}
		seen := map[lacks]bool{}
		for range 10 {
			room := someOf(r, "")
			info := framework.NewNodeInfo(resourcePod(r, "there", "node"))
			info.SetNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node"}, Status: corev1.NodeStatus{Allocatable: room}})

			want := filters.RunFilterPlugins(t.Context(), inTree, q.pod, info)
			got := filters.RunFilterPlugins(t.Context(), shortWay, q.pod, info)

			require.Equal(t, want.Code(), got.Code(), "seed %d: %v into %v", seed, q.pod.Spec.Containers[0].Resources.Requests, room)
			require.Equal(t, want.AsError(), got.AsError(), "seed %d: %v into %v", seed, q.pod.Spec.Containers[0].Resources.Requests, room)
			lack, plain := q.need.lackOf(info)
			switch {
			case want.IsSuccess():
				taken++
			case plain && seen[lack]:
				again++
			default:
				refused++
			}
			seen[lack] = plain
		}
	}
	require.Greater(t, min(taken, refused, again), 500, "taken %d, refused %d, refused as before %d", taken, refused, again)
}
