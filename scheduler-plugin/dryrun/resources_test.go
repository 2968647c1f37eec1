package dryrun

import (
	"fmt"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
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

func TestTheShortWayToYesIsTheInTreeFiltersYes(t *testing.T) {
	metrics.Register()
	filters, err := newFilters(t.Context(), fake.NewClientset(), schedulercache.NewEmptySnapshot())
	require.NoError(t, err)
	short, long := 0, 0
	for seed := range int64(5000) {
		r := rand.New(rand.NewSource(seed))
		room := someOf(r, "")
		info := framework.NewNodeInfo(resourcePod(r, "there", "node"))
		info.SetNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node"}, Status: corev1.NodeStatus{Allocatable: room}})
		q := newQuestion(resourcePod(r, "new", ""))
		state := framework.NewCycleState()
		_, status, _ := filters.RunPreFilterPlugins(t.Context(), state, q.pod)
		require.True(t, status.IsSuccess())

		inTree := filters.RunFilterPlugins(t.Context(), state, q.pod, info).IsSuccess() // there is no need in the state

		require.Equal(t, inTree, q.need.fits(info), fmt.Sprintf("seed %d: %v into %v", seed, q.pod.Spec.Containers[0].Resources.Requests, room))
		if inTree {
			short++
		} else {
			long++
		}
	}
	require.Greater(t, min(short, long), 200, "both answers are tried")
}
