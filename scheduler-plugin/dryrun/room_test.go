package dryrun_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/client-go/tools/cache"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/scheduler-plugin/dryrun"
)

// Each case plays a delegate of 3 CPUs on the one node with 4, and then asks how many CPUs are left.
func TestRoomOfADelegate(t *testing.T) {
	web := delegate("web", "3")
	seen, running := created(web, ""), created(web, "a")
	assume := func(t *testing.T, c *dryrun.Cluster) { require.NoError(t, c.Assume(web, "a")) }
	tests := map[string]struct {
		play     func(t *testing.T, c *dryrun.Cluster, s *source)
		wantLeft int64
	}{
		"that nobody assumed is free": {
			play: func(*testing.T, *dryrun.Cluster, *source) {}, wantLeft: 4,
		},
		"is taken when it is assumed, before the target knows of it": {
			play: func(t *testing.T, c *dryrun.Cluster, _ *source) { assume(t, c) }, wantLeft: 1,
		},
		"is taken once when it is assumed twice": {
			play: func(t *testing.T, c *dryrun.Cluster, _ *source) { assume(t, c); assume(t, c) }, wantLeft: 1,
		},
		"is given back when it is forgotten": {
			play: func(t *testing.T, c *dryrun.Cluster, _ *source) { assume(t, c); c.Forget(web) }, wantLeft: 4,
		},
		"is kept while the target has seen it and not yet scheduled it": {
			play: func(t *testing.T, c *dryrun.Cluster, s *source) { assume(t, c); s.pods.add(seen) }, wantLeft: 1,
		},
		"is taken once, not twice, when the target confirms it": {
			play: func(t *testing.T, c *dryrun.Cluster, s *source) {
				assume(t, c)
				s.pods.add(seen)
				s.pods.update(seen, running)
			}, wantLeft: 1,
		},
		"is taken once when the target confirmed it before it was assumed": {
			play: func(t *testing.T, c *dryrun.Cluster, s *source) { s.pods.add(running); assume(t, c) }, wantLeft: 1,
		},
		"stays taken when it is forgotten after the target confirmed it": {
			play: func(t *testing.T, c *dryrun.Cluster, s *source) {
				assume(t, c)
				s.pods.add(running)
				c.Forget(web)
			}, wantLeft: 1,
		},
		"is free again when it ends": {
			play: func(t *testing.T, c *dryrun.Cluster, s *source) {
				assume(t, c)
				s.pods.add(running)
				s.pods.update(running, inPhase(running, corev1.PodSucceeded))
			}, wantLeft: 4,
		},
		"is free once when it ends and is then deleted": {
			play: func(t *testing.T, c *dryrun.Cluster, s *source) {
				s.pods.add(running)
				s.pods.update(running, inPhase(running, corev1.PodFailed))
				s.pods.remove(inPhase(running, corev1.PodFailed))
			}, wantLeft: 4,
		},
		"is free again when it is deleted before the target scheduled it": {
			play: func(t *testing.T, c *dryrun.Cluster, s *source) {
				assume(t, c)
				s.pods.add(seen)
				s.pods.remove(seen)
			}, wantLeft: 4,
		},
		"is free again when the target refused it for good before scheduling it": {
			play: func(t *testing.T, c *dryrun.Cluster, s *source) {
				assume(t, c)
				s.pods.add(seen)
				s.pods.update(seen, inPhase(seen, corev1.PodFailed))
			}, wantLeft: 4,
		},
		"is free again when its deletion was noticed late": {
			play: func(t *testing.T, c *dryrun.Cluster, s *source) {
				s.pods.add(running)
				s.pods.remove(cache.DeletedFinalStateUnknown{Key: "ours/web", Obj: running})
			}, wantLeft: 4,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := &source{}
			c := newCluster(t, s, node("a", "4"))
			test.play(t, c, s)
			assert.Equal(t, test.wantLeft, cpusLeft(t, c))
		})
	}
}

func TestTheTargetsOwnChoiceOfNodeReplacesTheAssumedOne(t *testing.T) {
	s := &source{}
	c := newCluster(t, s, node("a", "4"), node("b", "4"))
	web := delegate("web", "3")
	require.NoError(t, c.Assume(web, "a"))
	s.pods.add(created(web, "b"))
	fit, err := c.Fit(t.Context(), delegate("next", "3"))
	require.NoError(t, err)
	assert.Equal(t, "a", fit.Node)
}

func TestAnAssumedDelegateMakesWayForTheTargetsOwnChoice(t *testing.T) {
	s := &source{}
	c := newCluster(t, s, node("a", "4"), node("b", "4"))
	web, shop := delegate("web", "3"), delegate("shop", "3")
	require.NoError(t, c.Assume(web, "a"))
	require.NoError(t, c.Assume(shop, "b"))
	s.pods.add(created(web, "b"))
	assert.EqualValues(t, 1, cpusLeft(t, c), "shop can only go to a, where web is not")
	s.pods.add(created(shop, "a"))
	assert.EqualValues(t, 1, cpusLeft(t, c))
	s.pods.remove(created(shop, "a"))
	assert.EqualValues(t, 4, cpusLeft(t, c))
}

func TestAnAssumedDelegateWithNowhereElseToGoKeepsItsNode(t *testing.T) {
	s := &source{}
	c := newCluster(t, s, node("a", "4"), node("b", "2"))
	web := delegate("web", "3")
	require.NoError(t, c.Assume(web, "a"))
	theirs := stranger("theirs", "a", "3")
	s.pods.add(theirs)
	assert.EqualValues(t, 2, cpusLeft(t, c))
	s.pods.remove(theirs)
	assert.EqualValues(t, 2, cpusLeft(t, c), "web counts once, on a")
	c.Forget(web)
	assert.EqualValues(t, 4, cpusLeft(t, c))
}

// Two Targets may be of one cluster; a pod that moves from one to the other has a delegate of each for a moment.
func TestTheDelegateOfAnotherTargetInTheSameClusterIsAnotherPod(t *testing.T) {
	s := &source{}
	c := newCluster(t, s, node("a", "4"))
	of := func(target string) *corev1.Pod {
		return delegate("web", "1", func(p *corev1.Pod) { p.Name, p.Labels[v1alpha1.LabelTarget] = "web-"+target, target })
	}
	leaving := created(of("heata"), "a")
	s.pods.add(leaving)
	require.NoError(t, c.Assume(of("cloud"), "a"))
	assert.EqualValues(t, 2, cpusLeft(t, c))
	s.pods.add(created(of("cloud"), "a"))
	s.pods.remove(leaving)
	assert.EqualValues(t, 3, cpusLeft(t, c))
}

func TestNodesThatComeChangeAndGo(t *testing.T) {
	s := &source{}
	c := newCluster(t, s)
	small, big := node("a", "1"), node("a", "8")
	s.nodes.add(small)
	assert.EqualValues(t, 1, cpusLeft(t, c))
	s.nodes.update(small, big)
	assert.EqualValues(t, 8, cpusLeft(t, c))
	s.nodes.remove(cache.DeletedFinalStateUnknown{Key: "a", Obj: big})
	assert.EqualValues(t, 0, cpusLeft(t, c))
}

func TestAMadeUpNodeStandsForDeclaredRoom(t *testing.T) {
	s := &source{madeUp: node("cloud", "4")}
	c := newCluster(t, s)
	assert.EqualValues(t, 4, cpusLeft(t, c))

	web := delegate("web", "3")
	require.NoError(t, c.Assume(web, "cloud"))
	assert.EqualValues(t, 1, cpusLeft(t, c))
	s.pods.add(created(web, "their-node-7")) // a node that is not watched
	assert.EqualValues(t, 1, cpusLeft(t, c), "counted once, on the made-up node")

	s.madeUp = node("cloud", "8")
	assert.EqualValues(t, 5, cpusLeft(t, c), "more was declared")
}

func TestAMadeUpNodeFollowsTheTargetsNodeSelector(t *testing.T) {
	s := &source{madeUp: node("cloud", "4")}
	c := newCluster(t, s)
	selecting := delegate("web", "1", func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"heat": "true"} })
	_, err := c.Fit(t.Context(), selecting)
	require.True(t, dryrun.IsMisfit(err), "got %v", err)

	s.madeUp = node("cloud", "4", func(n *corev1.Node) { n.Labels["heat"] = "true" })
	_, err = c.Fit(t.Context(), selecting)
	require.NoError(t, err, "every delegate now carries the new selector")
}

// cpusLeft is the largest whole number of CPUs that still fits.
func cpusLeft(t *testing.T, c *dryrun.Cluster) int64 {
	t.Helper()
	for cpus := int64(16); cpus > 0; cpus-- {
		_, err := c.Fit(t.Context(), delegate("probe", resource.NewQuantity(cpus, resource.DecimalSI).String()))
		if err == nil {
			return cpus
		}
		require.True(t, dryrun.IsMisfit(err), "got %v", err)
	}
	return 0
}

// BenchmarkFit is the cost of one pod against a target of 100 nodes and 1000 pods, in a scheduling cycle that runs one
// pod at a time.
func BenchmarkFit(b *testing.B) {
	s := &source{}
	c := newCluster(b, s)
	for i := range 100 {
		s.nodes.add(node(fmt.Sprintf("node-%d", i), "32"))
	}
	for i := range 1000 {
		s.pods.add(stranger(fmt.Sprintf("pod-%d", i), fmt.Sprintf("node-%d", i%100), "1"))
	}
	pod := delegate("web", "1")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Fit(b.Context(), pod); err != nil {
			b.Fatal(err)
		}
	}
}
