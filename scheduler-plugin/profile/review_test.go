package profile

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/klog/v2"
	schedulercache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
	"github.com/spillway-dev/spillway/pkg/target"
	schedulerplugin "github.com/spillway-dev/spillway/scheduler-plugin"
	"github.com/spillway-dev/spillway/scheduler-plugin/policies"
)

func node(name, cpu string) *corev1.Node {
	room := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse("8Gi"), corev1.ResourcePods: resource.MustParse("10")}
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{Capacity: room, Allocatable: room}}
}

func podOf(name, cpu, on string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: "uid-asked",
		Labels: map[string]string{v1alpha1.LabelElected: v1alpha1.ElectedTrue}, Annotations: map[string]string{v1alpha1.AnnotationElect: ""}},
		Spec: corev1.PodSpec{SchedulerName: v1alpha1.SchedulerName, NodeName: on, Containers: []corev1.Container{{Name: "main",
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}}}}}}
}

// reviewerOf is that of a scheduler which has read these objects, and schedules nothing.
func reviewerOf(t *testing.T, objects ...runtime.Object) (*Reviewer, *fake.Clientset) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	client, registry := fake.NewClientset(objects...), &target.Registry{}
	plugin := schedulerplugin.New(schedulerplugin.Options{SourceCluster: "here", Registry: registry, Policies: policies.NewStore(),
		Clock:      clocktesting.NewFakePassiveClock(time.Unix(0, 0)),
		Namespaces: func(string) (labels.Set, bool) { return labels.Set{v1alpha1.LabelBurst: v1alpha1.BurstEnabled}, true }})
	informers := NewInformers(client)
	s, err := New(ctx, client, dynamicfake.NewSimpleDynamicClient(runtime.NewScheme()), informers, plugin, registry)
	require.NoError(t, err)
	_, _, err = s.Reviewer.Review(ctx, podOf("early", "1", ""), schedulerplugin.WhatIf{})
	require.ErrorIs(t, err, ErrNotRunning)
	informers.Start(ctx.Done())
	informers.WaitForCacheSync(ctx.Done())
	require.Eventually(t, func() bool { // not the handlers: those of our own kinds are not started
		known := 0
		for _, info := range s.Cache.Dump().Nodes {
			if info.Node() != nil { // else a pod has come before its node
				known += 1 + len(info.GetPods())
			}
		}
		return known == len(objects)
	}, 10*time.Second, 5*time.Millisecond)
	s.Reviewer.running.Store(true)
	client.ClearActions()
	return s.Reviewer, client
}

func TestAReviewFindsTheNodeThatTheSchedulerWould(t *testing.T) {
	busy := podOf("busy", "3", "small")
	busy.UID = "uid-busy"
	tests := map[string]struct {
		pod        *corev1.Pod
		whatIf     schedulerplugin.WhatIf
		wantNode   string
		wantReason string
	}{
		"it fits one node": {pod: podOf("web", "6", ""), wantNode: "large"},
		"it fits no node":  {pod: podOf("web", "10", ""), wantReason: "2 Insufficient cpu"},
		"what it would take is its own": {pod: func() *corev1.Pod {
			p := busy.DeepCopy()
			p.Spec.NodeName = ""
			p.Spec.NodeSelector = map[string]string{"small": "yes"}
			return p
		}(), wantNode: "small"},
		"local nodes are down, as asked":              {pod: podOf("web", "1", ""), whatIf: schedulerplugin.WhatIf{Down: []string{"local"}}, wantReason: "down, as asked"},
		"a policy that admits remote places only":     {pod: podOf("web", "1", ""), whatIf: schedulerplugin.WhatIf{Policy: remoteOnly(t)}, wantReason: "2 policy admits remote places only"},
		"with other weights the local nodes are same": {pod: podOf("web", "6", ""), whatIf: schedulerplugin.WhatIf{Weights: &v1alpha1.Weights{Cost: 1}}, wantNode: "large"},
	}
	small := node("small", "4")
	small.Labels = map[string]string{"small": "yes"}
	r, client := reviewerOf(t, small, node("large", "8"), busy)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := test.pod.DeepCopy()
			record, refused, err := r.Review(t.Context(), test.pod, test.whatIf)
			require.NoError(t, err)
			assert.Empty(t, refused)
			assert.Equal(t, test.wantNode, record.Node)
			require.Len(t, record.Places, 1)
			assert.Equal(t, test.wantReason, record.Places[0].Reason)
			assert.Empty(t, cmp.Diff(before, test.pod), "the pod is not changed")
		})
	}
	for _, action := range client.Actions() {
		assert.Equal(t, "watch", action.GetVerb(), "nothing is asked of the API server, though an informer may be late: %v", action)
	}
}

func TestAPodWhosePolicyIsMissingIsRefusedAsSuch(t *testing.T) {
	r, _ := reviewerOf(t, node("large", "8"))
	pod := podOf("web", "1", "")
	pod.Annotations[v1alpha1.AnnotationPolicy] = "missing"
	_, refused, err := r.Review(t.Context(), pod, schedulerplugin.WhatIf{})
	require.NoError(t, err)
	assert.Contains(t, refused, "PlacementPolicy shop/missing")
}

// A second snapshot of the scheduler's cache would take changes of the count of volume claims away from the scheduler's.
func TestReviewsTakeNothingFromTheSchedulersCache(t *testing.T) {
	claims := podOf("claims", "100m", "large")
	claims.UID = "uid-claims"
	claims.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}}}
	r, _ := reviewerOf(t, node("large", "8"))
	logger, taken := klog.Background(), schedulercache.NewEmptySnapshot()
	require.NoError(t, r.scheduler.Cache.UpdateSnapshot(logger, taken))
	require.NoError(t, r.scheduler.Cache.AddPod(logger, claims))

	_, _, err := r.Review(t.Context(), podOf("web", "1", ""), schedulerplugin.WhatIf{})
	require.NoError(t, err)

	require.NoError(t, r.scheduler.Cache.UpdateSnapshot(logger, taken))
	assert.True(t, taken.StorageInfos().IsPVCUsedByPods("shop/data"))
}

func remoteOnly(t *testing.T) *placement.Policy {
	t.Helper()
	policy, err := placement.Compile("remote", v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeRemoteOnly})
	require.NoError(t, err)
	return policy
}
