package dryrun_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/fake"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/spillway-dev/spillway/scheduler-plugin/dryrun"
)

func TestFitAll(t *testing.T) {
	tests := map[string]struct {
		nodes     []*corev1.Node
		there     []*corev1.Pod
		pods      []*corev1.Pod
		wantNodes []string // of the pods, in their order
		wantError string
	}{
		"pods that fill one node after the other": {
			nodes:     []*corev1.Node{node("a", "4"), node("b", "4")},
			pods:      []*corev1.Pod{delegate("p1", "4"), delegate("p2", "4")},
			wantNodes: []string{"a", "b"},
		},
		"each of them fits, and all together do not": {
			nodes:     []*corev1.Node{node("a", "4"), node("b", "4")},
			there:     []*corev1.Pod{stranger("other", "b", "1")},
			pods:      []*corev1.Pod{delegate("p1", "2"), delegate("p2", "2"), delegate("p3", "2"), delegate("p4", "2")},
			wantError: "3 of 4 pods of the group fit: 2 Insufficient cpu",
		},
		"the largest is placed first, so that the small ones do not stand in its way": {
			nodes:     []*corev1.Node{node("a", "8"), node("b", "8")},
			pods:      []*corev1.Pod{delegate("small1", "2"), delegate("small2", "2"), delegate("big", "8")},
			wantNodes: []string{"b", "b", "a"},
		},
		"the group's own anti-affinity counts": {
			nodes:     []*corev1.Node{node("a", "4"), node("b", "4")},
			pods:      []*corev1.Pod{delegate("p1", "1", webApp, apart), delegate("p2", "1", webApp, apart), delegate("p3", "1", webApp, apart)},
			wantError: "2 of 3 pods of the group fit: 2 node(s) didn't match pod anti-affinity rules",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := &source{}
			c := newCluster(t, s, test.nodes...)
			for _, p := range test.there {
				s.pods.add(p)
			}
			for range 2 { // trying leaves nothing behind
				fits, err := c.FitAll(t.Context(), test.pods)
				if test.wantError != "" {
					require.EqualError(t, err, test.wantError)
					assert.True(t, dryrun.IsMisfit(err))
					continue
				}
				require.NoError(t, err)
				assert.ElementsMatch(t, test.wantNodes, nodesOf(fits))
			}
		})
	}
}

func TestAGroupOnLocalNodesSeesTheirPodsAndWhatIsPromised(t *testing.T) {
	nodes, err := dryrun.NewNodes(t.Context(), fake.NewClientset())
	require.NoError(t, err)
	var infos []fwk.NodeInfo
	for _, name := range []string{"a", "b", "c"} {
		info := framework.NewNodeInfo()
		info.SetNode(node(name, "4"))
		infos = append(infos, info)
	}
	infos[0].(*framework.NodeInfo).AddPod(stranger("there", "a", "3"))
	promised := func(node string) []*corev1.Pod {
		if node == "b" {
			return []*corev1.Pod{stranger("promised", "", "3")}
		}
		return nil
	}
	pods := []*corev1.Pod{stranger("p1", "", "2"), stranger("p2", "", "2")}

	fits, err := nodes.FitAll(t.Context(), infos, promised, pods)
	require.NoError(t, err)
	assert.Equal(t, []string{"c", "c"}, nodesOf(fits))

	_, err = nodes.FitAll(t.Context(), infos, promised, append(pods, stranger("p3", "", "2")))
	require.EqualError(t, err, "2 of 3 pods of the group fit: 3 Insufficient cpu")
	assert.Len(t, infos[2].GetPods(), 0, "the scheduler's own nodes are left as they are")
}

// webApp is what apart keeps apart.
func webApp(p *corev1.Pod) { p.Labels["app"] = "web" }

func nodesOf(fits []dryrun.Fit) []string {
	names := make([]string, len(fits))
	for i := range fits {
		names[i] = fits[i].Node
	}
	return names
}
