package schedulerplugin

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

func TestHeld(t *testing.T) {
	sending := func(change ...func(*v1alpha1.Target)) *v1alpha1.Target {
		target := &v1alpha1.Target{ObjectMeta: metav1.ObjectMeta{Name: "cloud"}, Status: v1alpha1.TargetStatus{Sending: true}}
		for _, do := range change {
			do(target)
		}
		return target
	}
	settled := sending(func(o *v1alpha1.Target) { o.Status.Sending = false })
	marked := func(status corev1.ConditionStatus) func(*corev1.Pod) {
		return func(pod *corev1.Pod) {
			pod.Status.Conditions = []corev1.PodCondition{{Type: "unconfirmed.spillway.dev/cloud", Status: status}}
		}
	}
	tests := map[string]struct {
		pod    *corev1.Pod
		older  bool // than this process
		policy v1alpha1.PlacementPolicySpec
		unread []*v1alpha1.Target
		want   bool
	}{
		"a pod that may have been sent to a target which cannot be read": {pod: electedPod(), older: true, unread: []*v1alpha1.Target{sending()}, want: true},
		"a pod that came later cannot have been sent by anybody else":    {pod: electedPod(), unread: []*v1alpha1.Target{sending()}},
		"every target has been read":                                     {pod: electedPod(), older: true},
		"nothing was on its way when the target was lost":                {pod: electedPod(), older: true, unread: []*v1alpha1.Target{settled}},
		"but the pod says that its own delegate could not be taken back": {pod: electedPod(marked(corev1.ConditionTrue)), older: true, unread: []*v1alpha1.Target{settled}, want: true},
		"or that it could, in the end":                                   {pod: electedPod(marked(corev1.ConditionFalse)), older: true, unread: []*v1alpha1.Target{settled}},
		"its policy never lets it go there": {pod: electedPod(), older: true, unread: []*v1alpha1.Target{sending()},
			policy: v1alpha1.PlacementPolicySpec{TargetSelector: &metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.LabelTarget: "heata"}}}},
		"its own selector never lets it go there": {older: true, unread: []*v1alpha1.Target{sending()},
			pod: electedPod(func(pod *corev1.Pod) { pod.Spec.NodeSelector = map[string]string{v1alpha1.LabelTarget: "heata"} })},
		"the target is not for its namespace": {pod: electedPod(), older: true, unread: []*v1alpha1.Target{sending(func(o *v1alpha1.Target) {
			o.Spec.Namespaces.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "vfx"}}
		})}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p, _ := newPlugin(t, map[string]labels.Set{"shop": {v1alpha1.LabelBurst: v1alpha1.BurstEnabled}})
			if test.older {
				p.Inherit([]types.UID{test.pod.UID})
			}
			p.SetUnread(test.unread)
			policy, err := placement.Compile("test", test.policy)
			require.NoError(t, err)
			reason := p.held(test.pod, policy, virtualNodes("cloud"))
			assert.Equal(t, test.want, reason != "", reason)
			if test.want {
				assert.Contains(t, reason, "cloud may have a delegate of this pod")
				assert.Contains(t, reason, "delete the pod")
			}
		})
	}
}

func TestAHeldPodIsWokenWhenItsTargetHasBeenRead(t *testing.T) {
	p, _ := newPlugin(t, map[string]labels.Set{"shop": {v1alpha1.LabelBurst: v1alpha1.BurstEnabled}})
	p.Inherit([]types.UID{"uid-1"})
	cloud := &v1alpha1.Target{ObjectMeta: metav1.ObjectMeta{Name: "cloud"}, Status: v1alpha1.TargetStatus{Sending: true}}
	p.SetUnread([]*v1alpha1.Target{cloud})
	_, status := p.PreFilter(context.Background(), framework.NewCycleState(), electedPod(), nil)
	require.Equal(t, fwk.UnschedulableAndUnresolvable, status.Code())

	p.SetUnread(nil)

	assert.Contains(t, <-p.handle.(*handle).activated, "shop/web")
	_, status = p.PreFilter(context.Background(), framework.NewCycleState(), electedPod(), nil)
	assert.True(t, status.IsSuccess(), "%v", status)
}

func virtualNodes(targets ...string) []fwk.NodeInfo {
	var nodes []fwk.NodeInfo
	for _, name := range targets {
		info := framework.NewNodeInfo()
		info.SetNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.VirtualNodeName(name), Labels: map[string]string{v1alpha1.LabelTarget: name}}})
		nodes = append(nodes, info)
	}
	return nodes
}
