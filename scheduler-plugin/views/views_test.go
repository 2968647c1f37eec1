package views_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/utils/ptr"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/scheduler-plugin/views"
)

func TestViews(t *testing.T) {
	selector := func(labels map[string]string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Spec.NodeSelector = labels }
	}
	affinity := func(terms ...corev1.NodeSelectorTerm) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms}}}
		}
	}
	in := func(key string, values ...string) corev1.NodeSelectorTerm {
		return corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
			{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}}}
	}
	app := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	spread := func(key string, change ...func(*corev1.TopologySpreadConstraint)) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{
				{MaxSkew: 1, TopologyKey: key, WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: app}}
			for _, do := range change {
				do(&p.Spec.TopologySpreadConstraints[0])
			}
		}
	}
	honour := func(c *corev1.TopologySpreadConstraint) { c.NodeTaintsPolicy = ptr.To(corev1.NodeInclusionPolicyHonor) }
	lost := corev1.Taint{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoSchedule}
	closed := corev1.Taint{Key: v1alpha1.TaintUnschedulable, Effect: corev1.TaintEffectNoSchedule}
	near := func(key string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Labels = nil
			p.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: key, LabelSelector: app}}}}
		}
	}
	both := func(changes ...func(*corev1.Pod)) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			for _, do := range changes {
				do(p)
			}
		}
	}
	gpu := func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Requests["nvidia.com/gpu"] = resource.MustParse("1")
	}
	apart := func(key string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: key, LabelSelector: app}}}}
		}
	}
	hostPort := func(p *corev1.Pod) {
		p.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 80, HostPort: 80, Protocol: corev1.ProtocolTCP}}
	}
	const noMatch = "2 node(s) didn't match Pod's node affinity/selector"
	everywhere := []string{"worker-a", "worker-b", "spillway-cloud", "spillway-heata"}
	virtual := []string{"spillway-cloud", "spillway-heata"}
	tests := map[string]struct {
		change    func([]*corev1.Node)
		others    []*corev1.Pod
		pod       *corev1.Pod
		want      []string
		wantLocal string
	}{
		"a plain pod may go everywhere: the view tolerates the provider's taint": {
			pod: pod("web", "1"), want: everywhere},
		"a pod's own toleration is not needed on local nodes either, which are judged with the pod as it is": {
			change: func(nodes []*corev1.Node) { nodes[0].Spec.Taints = nodes[2].Spec.Taints },
			pod:    pod("web", "1"), want: []string{"worker-b", "spillway-cloud", "spillway-heata"},
			wantLocal: "1 node(s) had untolerated taint(s)"},
		"another taint of a virtual node keeps the pod off": {
			change: func(nodes []*corev1.Node) {
				nodes[2].Spec.Taints = append(nodes[2].Spec.Taints, corev1.Taint{Key: "maintenance", Effect: corev1.TaintEffectNoSchedule})
			},
			pod: pod("web", "1"), want: []string{"worker-a", "worker-b", "spillway-heata"}},
		"a node that is not reached is judged by its target, which knows why, and locally by its taint": {
			change: func(nodes []*corev1.Node) {
				for _, n := range []*corev1.Node{nodes[0], nodes[2]} {
					n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoSchedule})
				}
			},
			pod: pod("web", "1"), want: []string{"worker-b", "spillway-cloud", "spillway-heata"}, wantLocal: "1 node(s) had untolerated taint(s)"},
		"a label that only targets' nodes have excludes local nodes and no virtual one": {
			pod: pod("web", "1", selector(map[string]string{"gpu": "a100"})), want: virtual, wantLocal: noMatch},
		"a region chooses among local nodes; which target has it, is decided with the delegate": {
			pod: pod("web", "1", selector(map[string]string{corev1.LabelTopologyRegion: "uk"})), want: virtual, wantLocal: noMatch},
		"the local region lets the pod stay at home": {
			pod: pod("web", "1", selector(map[string]string{corev1.LabelTopologyRegion: "home"})), want: everywhere},
		"a region by affinity chooses among local nodes": {
			pod: pod("web", "1", affinity(in(corev1.LabelTopologyRegion, "eu", "home"))), want: everywhere},
		"one alternative is a region and the other a label of targets' nodes: any target may do": {
			pod: pod("web", "1", affinity(in(corev1.LabelTopologyRegion, "eu"), in("gpu", "a100"))), want: virtual, wantLocal: noMatch},
		"a local node by name leaves the virtual ones to the dry run": {
			pod: pod("web", "1", affinity(corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{
				{Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{"worker-b"}}}})),
			want: []string{"worker-b", "spillway-cloud", "spillway-heata"}, wantLocal: "1 node(s) didn't match Pod's node affinity/selector"},
		"an affinity that contradicts itself refuses local nodes only": {
			pod: pod("web", "1", affinity(corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{
				{Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{"worker-a"}},
				{Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{"worker-b"}}}})),
			want: virtual, wantLocal: "2 pod affinity terms conflict"},
		"a big request is refused locally and left to the dry run remotely": {
			pod: pod("web", "8"), want: virtual, wantLocal: "2 Insufficient cpu"},
		"reasons of local nodes are counted by reason": {
			others: []*corev1.Pod{pod("other", "4", on("worker-a"))},
			change: func(nodes []*corev1.Node) {
				nodes[1].Spec.Taints = []corev1.Taint{{Key: "db", Effect: corev1.TaintEffectNoSchedule}}
			},
			pod: pod("web", "1"), want: virtual, wantLocal: "1 Insufficient cpu, 1 node(s) had untolerated taint(s)"},
		"a host port that a local node's pod has is free on virtual nodes": {
			others: []*corev1.Pod{pod("other", "1", on("worker-a"), hostPort), pod("remote", "1", on("spillway-cloud"), hostPort)},
			pod:    pod("web", "1", hostPort), want: []string{"worker-b", "spillway-cloud", "spillway-heata"},
			wantLocal: "1 node(s) didn't have free ports for the requested pod ports"},
		"a spread over targets fills the emptier one": {
			others: []*corev1.Pod{pod("first", "1", on("spillway-cloud"))},
			pod:    pod("web", "1", spread(v1alpha1.LabelTarget)), want: []string{"spillway-heata"},
			wantLocal: "2 node(s) didn't match pod topology spread constraints (missing required label)"},
		"a spread whose maxSkew is 2 may go to the fuller target": {
			others: []*corev1.Pod{pod("first", "1", on("spillway-cloud"))},
			pod:    pod("web", "1", spread(v1alpha1.LabelTarget, func(c *corev1.TopologySpreadConstraint) { c.MaxSkew = 2 })), want: virtual,
			wantLocal: "2 node(s) didn't match pod topology spread constraints (missing required label)"},
		"a spread that wants more targets than there are counts the missing ones as empty": {
			others:    []*corev1.Pod{pod("first", "1", on("spillway-cloud")), pod("second", "1", on("spillway-heata"))},
			pod:       pod("web", "1", spread(v1alpha1.LabelTarget, func(c *corev1.TopologySpreadConstraint) { c.MinDomains = ptr.To[int32](3) })),
			wantLocal: "2 node(s) didn't match pod topology spread constraints (missing required label)"},
		"a spread that is only wished for filters nothing": {
			others: []*corev1.Pod{pod("first", "1", on("spillway-cloud"))},
			pod:    pod("web", "1", spread(v1alpha1.LabelTarget, func(c *corev1.TopologySpreadConstraint) { c.WhenUnsatisfiable = corev1.ScheduleAnyway })),
			want:   everywhere},
		"a target that is lost counts as empty and holds the others back, as a lost node does": {
			change: func(nodes []*corev1.Node) { nodes[3].Spec.Taints = append(nodes[3].Spec.Taints, lost) },
			others: []*corev1.Pod{pod("first", "1", on("spillway-cloud"))},
			pod:    pod("web", "1", spread(v1alpha1.LabelTarget)), want: []string{"spillway-heata"},
			wantLocal: "2 node(s) didn't match pod topology spread constraints (missing required label)"},
		"but not when the spread honours taints: then the other target takes all": {
			change: func(nodes []*corev1.Node) { nodes[3].Spec.Taints = append(nodes[3].Spec.Taints, lost) },
			others: []*corev1.Pod{pod("first", "1", on("spillway-cloud"))},
			pod:    pod("web", "1", spread(v1alpha1.LabelTarget, honour)), want: []string{"spillway-cloud", "spillway-heata"},
			wantLocal: "2 node(s) didn't match pod topology spread constraints (missing required label)"},
		"nor does one that takes no new pods": {
			change: func(nodes []*corev1.Node) { nodes[3].Spec.Taints = append(nodes[3].Spec.Taints, closed) },
			others: []*corev1.Pod{pod("first", "1", on("spillway-cloud"))},
			pod:    pod("web", "1", spread(v1alpha1.LabelTarget, honour)), want: []string{"spillway-cloud", "spillway-heata"},
			wantLocal: "2 node(s) didn't match pod topology spread constraints (missing required label)"},
		"a spread over a key that no node has keeps the pod off local nodes, and is the target's nodes' to judge": {
			pod: pod("web", "1", spread("rack")), want: virtual,
			wantLocal: "2 node(s) didn't match pod topology spread constraints (missing required label)"},
		"a pod that wants to be near another goes to that one's region": {
			others: []*corev1.Pod{pod("first", "1", on("spillway-cloud"))},
			pod:    pod("near", "1", near(corev1.LabelTopologyRegion)), want: []string{"spillway-cloud"}, wantLocal: "2 node(s) didn't match pod affinity rules"},
		"a pod that wants to be near another goes to that one's target": {
			others: []*corev1.Pod{pod("first", "1", on("spillway-heata"))},
			pod:    pod("near", "1", near(v1alpha1.LabelTarget)), want: []string{"spillway-heata"}, wantLocal: "2 node(s) didn't match pod affinity rules"},
		"an anti-affinity by region keeps replicas in different regions, the source's among them": {
			others: []*corev1.Pod{pod("first", "1", on("spillway-cloud")), pod("second", "1", on("worker-a"))},
			pod:    pod("web", "1", apart(corev1.LabelTopologyRegion)), want: []string{"spillway-heata"}, wantLocal: "2 node(s) didn't match pod anti-affinity rules"},
		"two anti-affinities that leave no place refuse each": {
			others: []*corev1.Pod{pod("first", "1", on("spillway-cloud")), pod("second", "1", on("spillway-heata"))},
			pod:    pod("web", "1", both(apart(v1alpha1.LabelTarget), selector(map[string]string{"disk": "tape"}))), wantLocal: noMatch},
		"an extended resource that no local node has is the targets' to judge": {
			pod: pod("web", "1", gpu), want: virtual, wantLocal: "2 Insufficient nvidia.com/gpu"},
		"a spread over targets takes any while they are even": {
			others: []*corev1.Pod{pod("first", "1", on("spillway-cloud")), pod("second", "1", on("spillway-heata"))},
			pod:    pod("web", "1", spread(v1alpha1.LabelTarget)), want: virtual,
			wantLocal: "2 node(s) didn't match pod topology spread constraints (missing required label)"},
		"a spread over regions counts the source as one of them": {
			others: []*corev1.Pod{pod("first", "1", on("worker-a")), pod("second", "1", on("spillway-cloud"))},
			pod:    pod("web", "1", spread(corev1.LabelTopologyRegion)), want: []string{"spillway-heata"},
			wantLocal: "2 node(s) didn't match pod topology spread constraints"},
		"an anti-affinity by target keeps replicas in different targets": {
			others: []*corev1.Pod{pod("first", "1", on("spillway-cloud"))},
			pod:    pod("web", "1", apart(v1alpha1.LabelTarget)), want: []string{"worker-a", "worker-b", "spillway-heata"}},
		"an anti-affinity by host of pods that are in a target is not of its virtual node": {
			others: []*corev1.Pod{pod("first", "1", on("spillway-cloud"), apart(corev1.LabelHostname))},
			pod:    pod("web", "1", apart(corev1.LabelHostname)), want: everywhere},
		"an anti-affinity by target of pods that are there keeps others off": {
			others: []*corev1.Pod{pod("first", "1", on("spillway-cloud"), apart(v1alpha1.LabelTarget))},
			pod:    pod("web", "1"), want: []string{"worker-a", "worker-b", "spillway-heata"}},
		"an anti-affinity by host is not of virtual nodes, which are many hosts": {
			others: []*corev1.Pod{pod("first", "1", on("worker-a")), pod("second", "1", on("spillway-cloud"))},
			pod:    pod("web", "1", apart(corev1.LabelHostname)), want: []string{"worker-b", "spillway-cloud", "spillway-heata"},
			wantLocal: "1 node(s) didn't match pod anti-affinity rules"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			nodes := world()
			if test.change != nil {
				test.change(nodes)
			}
			got := ask(t, nodes, test.others, test.pod)
			assert.Equal(t, test.want, got.feasible(), "%v", got.reasons)
			assert.Equal(t, test.wantLocal, got.local)
		})
	}
}

func TestLocalRefusalsAreEmptyBeforeAnyViewLooked(t *testing.T) {
	assert.Empty(t, views.LocalRefusals(framework.NewCycleState()))
}

func TestAVirtualNodeIsToldByItsLabelOnly(t *testing.T) {
	assert.False(t, views.IsVirtual(nil))
	assert.False(t, views.IsVirtual(node("spillway-namesake", "home", "1")))
	assert.True(t, views.IsVirtual(world()[2]))
}
