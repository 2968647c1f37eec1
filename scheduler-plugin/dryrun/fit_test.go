package dryrun_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/scheduler-plugin/dryrun"
)

func TestFit(t *testing.T) {
	tainted := func(n *corev1.Node) {
		n.Spec.Taints = []corev1.Taint{{Key: "gpu", Value: "only", Effect: corev1.TaintEffectNoSchedule}}
	}
	unready := func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionFalse }
	cordoned := func(n *corev1.Node) {
		n.Spec.Unschedulable = true
		n.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}}
	}
	labelled := func(n *corev1.Node) { n.Labels["disk"] = "ssd" }
	selecting := func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"disk": "ssd"} }
	tests := map[string]struct {
		nodes     []*corev1.Node
		strangers []*corev1.Pod
		pod       *corev1.Pod
		wantNode  string
		wantError string
	}{
		"a pod goes to the node that keeps the most room": {
			nodes:     []*corev1.Node{node("full", "8"), node("empty", "8")},
			strangers: []*corev1.Pod{stranger("other", "full", "6")},
			pod:       delegate("web", "1"), wantNode: "empty",
		},
		"a pod that fits the nodes' sum and no single node is refused by each of them": {
			nodes: []*corev1.Node{node("a", "4"), node("b", "4")},
			pod:   delegate("big", "8"), wantError: "2 Insufficient cpu",
		},
		"a pod that fits an empty node but not what strangers leave of it is refused": {
			nodes:     []*corev1.Node{node("a", "4"), node("b", "4")},
			strangers: []*corev1.Pod{stranger("x", "a", "3"), stranger("y", "b", "3")},
			pod:       delegate("web", "2"), wantError: "2 Insufficient cpu",
		},
		"a stranger that has ended takes no room": {
			nodes:     []*corev1.Node{node("a", "4")},
			strangers: []*corev1.Pod{inPhase(stranger("job", "a", "3"), corev1.PodSucceeded)},
			pod:       delegate("web", "2"), wantNode: "a",
		},
		"a stranger that waits for a node takes no room": {
			nodes:     []*corev1.Node{node("a", "4")},
			strangers: []*corev1.Pod{stranger("pending", "", "3")},
			pod:       delegate("web", "2"), wantNode: "a",
		},
		"an untolerated taint keeps the pod off, in Kubernetes' own words": {
			nodes: []*corev1.Node{node("a", "4", tainted)},
			pod:   delegate("web", "1"), wantError: "1 node(s) had untolerated taint(s)",
		},
		"a tolerated taint does not": {
			nodes: []*corev1.Node{node("a", "4", tainted)},
			pod: delegate("web", "1", func(p *corev1.Pod) {
				p.Spec.Tolerations = []corev1.Toleration{{Key: "gpu", Operator: corev1.TolerationOpExists}}
			}),
			wantNode: "a",
		},
		"a node selector leaves only the nodes that match": {
			nodes: []*corev1.Node{node("big", "64"), node("ssd", "4", labelled)},
			pod:   delegate("web", "1", selecting), wantNode: "ssd",
		},
		"a node selector that no node matches refuses": {
			nodes: []*corev1.Node{node("a", "4"), node("b", "4")},
			pod:   delegate("web", "1", selecting), wantError: "2 node(s) didn't match Pod's node affinity/selector",
		},
		"an affinity that names another node refuses": {
			nodes: []*corev1.Node{node("a", "4")},
			pod:   delegate("web", "1", onlyOn("b")), wantError: "1 node(s) didn't match Pod's node affinity/selector",
		},
		"an anti-affinity refuses the node where a pod like it runs": {
			nodes: []*corev1.Node{node("a", "64"), node("b", "4")},
			strangers: []*corev1.Pod{stranger("other", "a", "1", func(p *corev1.Pod) {
				p.Namespace, p.Labels = "ours", map[string]string{"app": "web"}
			})},
			pod: delegate("web", "1", apart), wantNode: "b",
		},
		"a host port that is taken refuses": {
			nodes:     []*corev1.Node{node("a", "4")},
			strangers: []*corev1.Pod{stranger("other", "a", "1", hostPort)},
			pod:       delegate("web", "1", hostPort), wantError: "1 node(s) didn't have free ports for the requested pod ports",
		},
		"a node that is not ready takes nothing": {
			nodes: []*corev1.Node{node("a", "64", unready)},
			pod:   delegate("web", "1"), wantError: "1 node(s) were not ready",
		},
		"a cordoned node takes nothing": {
			nodes: []*corev1.Node{node("a", "64", cordoned)},
			pod:   delegate("web", "1"), wantError: "1 node(s) were unschedulable",
		},
		"a device is on the nodes that have it": {
			nodes: []*corev1.Node{node("plain", "64"), node("gpu", "8", withGPU)},
			pod:   delegate("web", "1", wantsGPU), wantNode: "gpu",
		},
		"a device that is in use refuses": {
			nodes:     []*corev1.Node{node("gpu", "8", withGPU)},
			strangers: []*corev1.Pod{stranger("other", "gpu", "1", wantsGPU)},
			pod:       delegate("web", "1", wantsGPU), wantError: "1 Insufficient nvidia.com/gpu",
		},
		"a pod near another goes to that one's node": {
			nodes:     []*corev1.Node{node("a", "64"), node("b", "4")},
			strangers: []*corev1.Pod{stranger("other", "b", "1", func(p *corev1.Pod) { p.Namespace, p.Labels = "ours", map[string]string{"app": "db"} })},
			pod:       delegate("web", "1", nearDB), wantNode: "b",
		},
		"a spread over zones fills the emptier one": {
			nodes: []*corev1.Node{node("a", "64", inZone("1")), node("b", "4", inZone("2"))},
			strangers: []*corev1.Pod{stranger("other", "a", "1", func(p *corev1.Pod) {
				p.Namespace, p.Labels = "ours", map[string]string{"app": "web"}
			})},
			pod: delegate("web", "1", spread(corev1.LabelTopologyZone)), wantNode: "b",
		},
		"a topology key that no node has refuses, and says that a label is missing": {
			nodes: []*corev1.Node{node("a", "4"), node("b", "4")},
			pod:   delegate("web", "1", spread("rack")), wantError: "2 node(s) didn't match pod topology spread constraints (missing required label)",
		},
		"a selector and an affinity that contradict each other refuse": {
			nodes: []*corev1.Node{node("a", "4", labelled), node("b", "4")},
			pod: delegate("web", "1", func(p *corev1.Pod) {
				onlyOn("b")(p)
				selecting(p)
			}), wantError: "2 node(s) didn't match Pod's node affinity/selector",
		},
		"each node counts for its own reason": {
			nodes: []*corev1.Node{node("a", "1"), node("b", "1"), node("c", "64", tainted)},
			pod:   delegate("web", "2"), wantError: "1 node(s) had untolerated taint(s), 2 Insufficient cpu",
		},
		"a target without nodes says so": {
			pod: delegate("web", "1"), wantError: "nodes: the target has none that take pods",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := &source{}
			c := newCluster(t, s, test.nodes...)
			for _, p := range test.strangers {
				s.pods.add(p)
			}
			fit, err := c.Fit(t.Context(), test.pod)
			if test.wantError != "" {
				require.ErrorContains(t, err, test.wantError)
				assert.True(t, dryrun.IsMisfit(err), "a refusal is an answer, not a failure")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.wantNode, fit.Node)
		})
	}
}

func TestFreeShareIsOfTheScarcestResourceOverAllNodes(t *testing.T) {
	c := newCluster(t, &source{}, node("a", "4"), node("b", "4"))
	fit, err := c.Fit(t.Context(), delegate("web", "2"))
	require.NoError(t, err)
	assert.InDelta(t, 0.75, fit.FreeShare, 1e-9)
}

func TestOnlyAMisfitIsAnAnswer(t *testing.T) {
	assert.False(t, dryrun.IsMisfit(errors.New("the snapshot failed")))
	assert.True(t, dryrun.IsMisfit(fmt.Errorf("asking cloud: %w", &dryrun.Misfit{})))
}

func onlyOn(node string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{
					{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{node}}},
			}}}}}
	}
}

func withGPU(n *corev1.Node) {
	n.Status.Allocatable = n.Status.Allocatable.DeepCopy()
	n.Status.Allocatable["nvidia.com/gpu"] = resource.MustParse("1")
}

func wantsGPU(p *corev1.Pod) {
	p.Spec.Containers[0].Resources.Requests["nvidia.com/gpu"] = resource.MustParse("1")
}

func inZone(zone string) func(*corev1.Node) {
	return func(n *corev1.Node) { n.Labels[corev1.LabelTopologyZone] = zone }
}

func nearDB(p *corev1.Pod) {
	p.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
			TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}},
		}}}}
}

func spread(key string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Labels["app"] = "web"
		p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: key, WhenUnsatisfiable: corev1.DoNotSchedule,
			LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}}}
	}
}

func apart(p *corev1.Pod) {
	p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
			TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
		}}}}
}

func hostPort(p *corev1.Pod) {
	p.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 80, HostPort: 80, Protocol: corev1.ProtocolTCP}}
}

func TestWhetherOneMoreNodeWouldHelp(t *testing.T) {
	labelled := func(key string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{key: "true"} }
	}
	apart := func(p *corev1.Pod) {
		p.Labels["app"] = "db"
		p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
			TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}}}}}}
	}
	tests := map[string]struct {
		running, pod *corev1.Pod
		want         bool
	}{
		"the node is full":                         {stranger("s", "n1", "3"), delegate("d", "2"), true},
		"the pod is larger than any node":          {nil, delegate("d", "5"), false},
		"no node has the label":                    {nil, delegate("d", "1", labelled("gpu")), false},
		"the node has a pod that it must not meet": {stranger("s", "n1", "1", func(p *corev1.Pod) { p.Namespace, p.Labels = "ours", map[string]string{"app": "db"} }), delegate("d", "1", apart), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := &source{}
			c := newCluster(t, s, node("n1", "4"))
			if test.running != nil {
				s.pods.add(test.running)
			}
			_, err := c.Fit(t.Context(), test.pod)
			require.True(t, dryrun.IsMisfit(err), "%v", err)
			assert.Equal(t, test.want, dryrun.Growable(err), "%v", err)
		})
	}
}
